"""The original YOLOv5: one row a candidate, `[1, k, 5 + n]`, with an objectness of its own.

The answer is its `non_max_suppression` over the exported graph's output.
"""

import functools
import os
import pathlib
import tempfile

import numpy as np
import onnxruntime
import torch
import yaml
import yolov5
from yolov5.export import export_onnx
from yolov5.models.yolo import Model
from yolov5.utils.general import non_max_suppression

import drawing
import healthy
from folder import Folder

PACKAGE = "yolov5 7.0.14"
DEFECTS = ["scratch", "dent", "stain"]
HEIGHT, WIDTH = 64, 96
SETTINGS = {"score_min": 0.25, "iou_max": 0.45, "findings_max": 300}

torch.set_num_threads(1)
# It was written for PyTorch's older exporter, which has to be asked for by now.
torch.onnx.export = functools.partial(torch.onnx.export, dynamo=False)


def detect(name, quirks=""):
    folder = Folder(name, "yolov5", PACKAGE, "detect")
    os.chdir(tempfile.mkdtemp())
    text = yaml.safe_load((pathlib.Path(yolov5.__file__).parent / "models/yolov5n.yaml").read_text())
    text.update(nc=len(DEFECTS), depth_multiple=0.1, width_multiple=0.03125)
    text["anchors"] = [[4, 5, 8, 15, 16, 11], [15, 30, 31, 22, 29, 29], [40, 30, 30, 50, 60, 40]]
    shot = drawing.draw(901, WIDTH, HEIGHT, defects=9)
    batch = torch.from_numpy(shot.transpose(2, 0, 1).astype(np.float32) / 255)[None]
    for seed in range(300):
        torch.manual_seed(seed)
        model = Model(dict(text), ch=3)
        model.names = dict(enumerate(DEFECTS))
        healthy.wake(model, batch)
        head = model.model[-1]
        each = torch.tensor([0.0] * 4 + [-2.0] + [0.0] * len(DEFECTS)).repeat(head.na)
        wide = torch.tensor([0.8] * 4 + [1.8] + [1.5] * len(DEFECTS)).repeat(head.na)
        healthy.spread(model, batch, [(level, each, wide) for level in head.m])
        model.eval()
        with torch.no_grad():
            raw = model(batch)[0][0].numpy()
        scores, best = raw[:, 4] * raw[:, 5:].max(1), raw[:, 5:].argmax(1)
        pairs = healthy.iou(np.concatenate([raw[:, :2] - raw[:, 2:4] / 2, raw[:, :2] + raw[:, 2:4] / 2], 1))
        found = non_max_suppression(torch.from_numpy(raw)[None], 0.25, 0.45, max_det=300)[0]
        if healthy.steady(scores, best, pairs, 0.25, 0.45) and 5 <= len(found) <= 60 and len(set(found[:, 5].tolist())) > 1:
            break
    else:
        raise SystemExit(f"{name}: no seed is steady")
    head.export, head.dynamic, head.inplace = True, False, False
    model(batch)
    export_onnx(model, batch, pathlib.Path("model.pt"), 12, False, False)
    folder.take_model("model.onnx")
    given = onnxruntime.InferenceSession(str(folder.model)).run(None, {"images": batch.numpy()})[0]
    assert np.abs(given[0] - raw).max() < 0.05 and np.abs(given[0][:, 4:] - raw[:, 4:]).max() < 5e-4
    said = non_max_suppression(torch.from_numpy(given), 0.25, 0.45, max_det=300)[0].tolist()
    assert len(said) == len(found)
    folder.add_picture(
        shot,
        [{"class": DEFECTS[int(c)], "score": s, "box_px": [x0, y0, x1 - x0, y1 - y0]} for x0, y0, x1, y1, s, c in said],
    )
    folder.finish(SETTINGS, seed, quirks)


def exports():
    return {
        "yolov5-detect": functools.partial(
            detect, quirks="[1,k,5+n]: cx cy w h in px, objectness, n class scores; score = objectness x class; metadata"
            " is stride and names alone"
        )
    }
