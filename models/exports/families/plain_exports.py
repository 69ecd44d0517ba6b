"""Plain PyTorch exports without metadata, and those that try a reader's patience: u8, f16, NHWC, weights outside, NaN.

The answer is the network's own in PyTorch; where the graph is edited afterwards, ONNX Runtime must still agree.
"""

import functools
import os
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

import drawing
import healthy
import small
from folder import Folder
from families.torchvision_exports import say_areas

PACKAGE = "torch 2.15.0"
LABELS = ["scratch", "dent", "stain", "good"]
HEIGHT, WIDTH = 48, 64

torch.set_num_threads(1)


def tensor(picture):
    return torch.from_numpy(picture.astype(np.float32).transpose(2, 0, 1) / 255)[None]


def network_of(make, seed, batch):
    torch.manual_seed(seed)
    network = make()
    healthy.wake(network, batch)
    for layer in network.last():
        healthy.spread(network, batch, [layer])
    return network.eval()


class Bytes(torch.nn.Module):
    """u8 pixels `[1, h, w, 3]` in, as a camera gives them; the network's own scale and layout are in the graph."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        return self.network(image.permute(0, 3, 1, 2).float() / 255).softmax(1)


def segmenter(name, opset=17, dynamo=False, quirks=""):
    folder = Folder(name, "plain", PACKAGE, "segment")
    os.chdir(tempfile.mkdtemp())
    shot = drawing.draw(801, WIDTH, HEIGHT)
    batch = tensor(shot)
    for seed in range(100):
        network = network_of(lambda: small.UNet(4), seed, batch)
        with torch.no_grad():
            logits = network(batch)[0].numpy()
        if (np.bincount(logits.argmax(0).ravel(), minlength=4) > 60).all():
            break
    options = dict(opset_version=opset, dynamo=dynamo, input_names=["input"], output_names=["logits"])
    torch.onnx.export(network, (batch,), "model.onnx", **options)
    folder.take_model("model.onnx")
    given = onnxruntime.InferenceSession(str(folder.model)).run(None, {"input": batch.numpy()})[0][0]
    assert np.abs(given - logits).max() < 1e-3
    say_areas(folder, shot, given, ["__background__", "scratch", "dent", "stain"])
    folder.finish({}, seed, quirks)


def classifier(name, bytes=False, half=False, dynamic=False, outside=False, nan=False, quirks=""):
    folder = Folder(name, "plain", PACKAGE, "classify")
    os.chdir(tempfile.mkdtemp())
    shots = [drawing.draw(810 + i, WIDTH, HEIGHT) for i in range(6)]
    batch = torch.cat([tensor(s) for s in shots])
    network = network_of(lambda: small.Classifier(len(LABELS)), 0, batch)
    with torch.no_grad():
        said = network(batch).softmax(1).numpy()
    asked, entry, given = network, "input", batch
    if bytes:
        asked, entry, given = Bytes(network), "image", torch.from_numpy(np.stack(shots))
    axes = {entry: {0: "batch"}, "output": {0: "batch"}} if dynamic else None
    options = dict(opset_version=17, dynamo=False, input_names=[entry], output_names=["output"], dynamic_axes=axes)
    torch.onnx.export(asked.eval(), (given[:1],), "model.onnx", **options)
    model = onnx.load("model.onnx")
    if half:
        from onnxruntime.transformers import float16

        model = float16.convert_float_to_float16(model, keep_io_types=False)
    if nan:
        for constant in model.graph.initializer:
            if constant.name.endswith("head.bias"):
                values = numpy_helper.to_array(constant).copy()
                values[1] = np.nan
                constant.CopyFrom(numpy_helper.from_array(values, constant.name))
    if outside:
        onnx.save(model, "model.onnx", save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    else:
        onnx.save(model, "model.onnx")
    folder.take_model("model.onnx")
    session = onnxruntime.InferenceSession(str(folder.model))
    limit = 5e-3 if half else 1e-4
    for i in range(2 if dynamic else 1):
        one = given[i : i + 1].numpy()
        out = session.run(None, {entry: one.astype(np.float16) if half else one})[0][0].astype(np.float32)
        if nan:
            assert np.isnan(out).sum() == 1
            folder.add_picture(shots[i], outputs="one of the four logits is NaN: no verdict, an error", classes=LABELS)
            continue
        probabilities = out if bytes else torch.from_numpy(out).softmax(0).numpy()
        assert np.abs(probabilities - said[i]).max() < limit
        best = int(said[i].argmax())
        folder.add_picture(
            shots[i], [{"class": LABELS[best], "score": float(said[i][best])}], file=f"picture{'-1' * i}.png",
            probabilities=said[i].tolist(), classes=LABELS,
        )
    if dynamic:
        both = session.run(None, {entry: given[:2].numpy()})[0]
        assert np.abs(torch.from_numpy(both).softmax(1).numpy() - said[:2]).max() < 1e-4
    folder.finish({}, 0, quirks, score=limit if half else 0.001)


def exports():
    d = functools.partial
    return {
        "plain-unet": d(segmenter, quirks="logits [1,C,h,w], class 0 is background; nothing says so; pixels 0..1"),
        "plain-unet-dynamo": d(
            segmenter, opset=18, dynamo=True,
            quirks="PyTorch's newer exporter: weights outside in model.onnx.data, though they are few",
        ),
        "plain-classifier": d(classifier, quirks="logits; no metadata, no labels; pixels 0..1"),
        "plain-classifier-u8-nhwc": d(classifier, bytes=True, quirks="u8 input [1,h,w,3] RGB; probabilities, not logits"),
        "plain-classifier-f16": d(classifier, half=True, quirks="f16 in and out; the answer is PyTorch's in f32, within 0.005"),
        "plain-classifier-batch": d(classifier, dynamic=True, quirks="batch is dynamic: ask with both pictures at once"),
        "plain-classifier-outside": d(
            classifier, outside=True, quirks="every weight is in model.onnx.data; without it the model must be refused"
        ),
        "plain-classifier-nan": d(classifier, nan=True, quirks="gives NaN for class 1, whatever the picture"),
    }
