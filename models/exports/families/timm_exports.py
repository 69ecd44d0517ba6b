"""timm: a classifier of its own, as narrow as its arguments allow. The answer is its softmax in PyTorch."""

import os
import tempfile

import numpy as np
import onnxruntime
import timm
import torch
from timm.data import create_transform, resolve_data_config
from PIL import Image

import drawing
import healthy
from folder import Folder

PACKAGE = "timm 1.0.31"
LABELS = ["scratch", "dent", "stain", "good"]
SIDE = 64


def resnet(name):
    folder = Folder(name, "timm", PACKAGE, "classify")
    os.chdir(tempfile.mkdtemp())
    torch.manual_seed(0)
    net = timm.create_model(
        "resnet10t", pretrained=False, num_classes=len(LABELS), channels=(8, 8, 16, 16), stem_width=8
    )
    transform = create_transform(**{**resolve_data_config({}, model=net), "input_size": (3, SIDE, SIDE), "crop_pct": 1.0})
    pictures = [drawing.draw(s, SIDE, SIDE) for s in range(710, 716)]
    batch = torch.stack([transform(Image.fromarray(p)) for p in pictures])
    healthy.wake(net, batch)
    healthy.spread(net, batch, [(net.fc, 0.0, 1.5)])
    torch.onnx.export(
        net, (batch[:1],), "model.onnx", opset_version=17, dynamo=False, input_names=["input0"], output_names=["output0"]
    )
    folder.take_model("model.onnx")
    with torch.no_grad():
        said = net(batch[:1]).softmax(1)[0].numpy()
    given = onnxruntime.InferenceSession(str(folder.model)).run(None, {"input0": batch[:1].numpy()})[0]
    assert np.abs(torch.from_numpy(given).softmax(1)[0].numpy() - said).max() < 1e-4
    best = int(said.argmax())
    folder.add_picture(pictures[0], [{"class": LABELS[best], "score": float(said[best])}], probabilities=said.tolist(), classes=LABELS)
    norm = {"mean": net.default_cfg["mean"], "std": net.default_cfg["std"]}
    folder.finish({"normalisation": norm}, 0, "logits, no metadata; input0 and output0 as timm's own onnx_export.py names them")


def exports():
    return {"timm-resnet10t": resnet}
