"""The original D-FINE: `orig_target_sizes` in, `labels`, `boxes`, `scores` out, as its `export_onnx.py` writes it.

Its source comes from a package of it on the registry. The answer is its own post-processor's in PyTorch.
"""

import importlib
import os
import pathlib
import sys
import sysconfig
import tempfile
import types

import numpy as np
import onnx
import onnxruntime
import onnxslim
import torch

import drawing
import healthy
from folder import Folder

# The package unpacks `zoo`, `nn`, … side by side, while its modules name each other as parts of one: this is that one.
dfine = types.ModuleType("dfine")
dfine.__path__ = [sysconfig.get_paths()["purelib"]]
sys.modules["dfine"] = dfine
zoo = importlib.import_module("dfine.zoo.dfine")
HGNetv2 = importlib.import_module("dfine.nn.backbone.hgnetv2").HGNetv2

PACKAGE = "d-fine-project 1.0.0"
DEFECTS = ["scratch", "dent", "stain"]
SIDE, QUERIES = 96, 30
NARROW = {
    "stem_channels": [3, 8, 8],
    "stage_config": {
        "stage1": [8, 8, 8, 1, False, False, 3, 1],
        "stage2": [8, 8, 8, 1, True, False, 3, 1],
        "stage3": [8, 8, 16, 1, True, True, 5, 1],
        "stage4": [16, 8, 16, 1, True, True, 5, 1],
    },
    "url": "",
}

torch.set_num_threads(1)


def network_of(seed, batch):
    torch.manual_seed(seed)
    HGNetv2.arch_configs = {**HGNetv2.arch_configs, "narrow": NARROW}
    size = [SIDE, SIDE]
    network = zoo.DFINE(
        HGNetv2("narrow", pretrained=False, freeze_at=-1, freeze_norm=False),
        zoo.HybridEncoder([8, 16, 16], [8, 16, 32], 16, 2, 32, expansion=0.5, depth_mult=0.34, eval_spatial_size=size),
        zoo.DFINETransformer(
            len(DEFECTS), 16, QUERIES, [16, 16, 16], [8, 16, 32], 3, [2, 2, 2], 2, 2, 32, num_denoising=0,
            eval_spatial_size=size, reg_max=8,
        ),
    )
    healthy.wake(network.eval(), batch)
    decoder = network.decoder
    layers = [(decoder.enc_score_head, -2.0, 1.5), (decoder.enc_bbox_head.layers[-1], 0.0, 0.5)]
    layers += [(head, -1.8, 1.6) for head in decoder.dec_score_head]
    layers += [(head.layers[-1], 0.0, 1.0) for head in decoder.dec_bbox_head]
    for layer in layers:
        healthy.spread(network, batch, [layer])
    return network.eval()


class Whole(torch.nn.Module):
    """As in the repository's `tools/deployment/export_onnx.py`."""

    def __init__(self, network):
        super().__init__()
        self.model = network.deploy()
        self.postprocessor = zoo.DFINEPostProcessor(len(DEFECTS), num_top_queries=QUERIES).deploy()

    def forward(self, images, orig_target_sizes):
        return self.postprocessor(self.model(images), orig_target_sizes)


def detect(name):
    folder = Folder(name, "detr", PACKAGE, "detect")
    os.chdir(tempfile.mkdtemp())
    shot = drawing.draw(1107, SIDE, SIDE, defects=9)
    batch = torch.from_numpy(shot.transpose(2, 0, 1).astype(np.float32) / 255)[None]
    size = torch.tensor([[SIDE, SIDE]])
    for seed in range(200):
        whole = Whole(network_of(seed, batch)).eval()
        with torch.no_grad():
            labels, boxes, scores = (o[0].numpy() for o in whole(batch, size))
        kept = scores > 0.25
        steady = healthy.steady(scores, None, None, 0.25, 0.45)
        if steady and 5 <= kept.sum() <= 28 and len(set(labels[kept].tolist())) > 1:
            break
    else:
        raise SystemExit(f"{name}: no seed is steady")
    torch.onnx.export(
        whole, (batch, size), "model.onnx", opset_version=16, dynamo=False, input_names=["images", "orig_target_sizes"],
        output_names=["labels", "boxes", "scores"],
    )
    onnx.save(onnxslim.slim("model.onnx"), "model.onnx")
    folder.take_model("model.onnx")
    session = onnxruntime.InferenceSession(str(folder.model))
    given = [o[0] for o in session.run(None, {"images": batch.numpy(), "orig_target_sizes": size.numpy()})]
    assert (given[0][kept] == labels[kept]).all() and np.abs(given[2] - scores).max() < 1e-4
    assert np.abs(given[1] - boxes)[kept].max() < 0.05
    found = [
        {"class": DEFECTS[l], "score": float(s), "box_px": [float(v) for v in (b[0], b[1], b[2] - b[0], b[3] - b[1])]}
        for l, b, s in zip(labels[kept], boxes[kept], scores[kept])
    ]
    folder.add_picture(shot, found)
    folder.finish(
        {"score_min": 0.25, "iou_max": 1.0, "findings_max": QUERIES}, seed,
        "second input orig_target_sizes i64 [1,2], width first; boxes are x0 y0 x1 y1 px of that size; slimmed",
        large=True,
    )


def exports():
    return {"dfine-deployed": detect}
