"""Checks each model named with onnx and runs it in plain onnxruntime: its map and score for each picture, as JSON.

    plain_onnxruntime.py WIDTH HEIGHT PICTURES.rgb MODEL.onnx...   (pictures: bytes, one after the other)
"""
import json
import sys

import numpy as np
import onnx
import onnxruntime

width, height = int(sys.argv[1]), int(sys.argv[2])
pictures = np.fromfile(sys.argv[3], np.uint8).reshape(-1, 1, height, width, 3)
told = {}
for file in sys.argv[4:]:
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    [given] = session.get_inputs()
    each = []
    for picture in pictures:
        heat, score = session.run(["anomaly_map", "pred_score"], {given.name: picture})
        assert heat.shape == (1, 1, height, width) and score.shape == (1,), (heat.shape, score.shape)
        each.append({"score": float(score[0]), "map": heat.ravel().tolist()})
    told[file] = {"input": [given.type, given.shape], "opset": model.opset_import[0].version, "pictures": each}
json.dump(told, sys.stdout)
