#!/usr/bin/env python3
"""Writes the models of the station's tests, each with its card beside it: detectors that misbehave in one way.

    pip install onnx==1.23.2 && python make.py

Each sees a bottle and a cap where the picture is bright, as `detector-yolo-v8` of `models/inference` does. The files are
the same, byte for byte, on every run.
"""

import hashlib
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
F32, I64 = TensorProto.FLOAT, TensorProto.INT64
# cx, cy, w, h, bottle, cap: a bottle, a worse box of the same bottle, a cap.
BOXES = np.array([[16, 16, 16, 24, 0.9, 0.05], [17, 16, 16, 24, 0.6, 0.0], [16, 6, 8, 4, 0.1, 0.8]], dtype=np.float32)


def constant(name, values, dtype=np.float32):
    return numpy_helper.from_array(np.asarray(values, dtype=dtype), name)


def detector(name, burden, constants=(), blind=False):
    """Boxes and scores, plus `burden`: nodes that give one number, `nothing`, which is 0."""
    scores = np.zeros_like(BOXES)
    scores[:, 4:] = 0 if blind else BOXES[:, 4:]
    boxes = BOXES.copy()
    boxes[:, 4:] = 0
    node = helper.make_node
    nodes = [
        node("ReduceMax", ["picture"], ["brightest"], keepdims=0),
        *burden,
        node("Mul", ["scores", "brightest"], ["scored"]),
        node("Add", ["boxes", "scored"], ["seen"]),
        node("Add", ["seen", "nothing"], ["detections"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, name, [value("picture", F32, [1, 3, 32, 32])], [value("detections", F32, [1, 6, 3])],
        [constant("boxes", boxes.T[None]), constant("scores", scores.T[None]), *constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="plumb tests")
    model.ir_version = 8
    data = model.SerializeToString(deterministic=True)
    (HERE / f"{name}.onnx").write_bytes(data)
    (HERE / f"{name}.toml").write_text(
        f'name = "{name}"\nfile = "{name}.onnx"\nsha256 = "{hashlib.sha256(data).hexdigest()}"\n'
        'labels = ["bottle", "cap"]\n[family]\nkind = "detector"\noutput = "yolo_v8"\nscore_min = 0.25\niou_max = 0.5\n'
        "[input]\nwidth = 32\nheight = 32\n"
    )
    print(f"{name}: {len(data)} bytes")


node = helper.make_node
ZERO = constant("zero", 0.0)

# A pure white pixel, and only that, makes it ask for 4.5 PB: more than any processor can address.
detector(
    "greedy",
    [
        node("Floor", ["brightest"], ["white"]),
        node("Cast", ["white"], ["is_white"], to=I64),
        node("Mul", ["is_white", "sides"], ["shape"]),
        node("ConstantOfShape", ["shape"], ["huge"]),
        node("ReduceSum", ["huge"], ["sum"], keepdims=0),
        node("Mul", ["sum", "zero"], ["nothing"]),
    ],
    [ZERO, constant("sides", [1 << 25, 1 << 25], np.int64)],
)

# Some 8 GFLOP of which nothing remains: a large fraction of a second on one core.
detector(
    "slow",
    [
        node("RandomNormal", [], ["noise"], shape=[1200, 1200], seed=1.0),
        node("MatMul", ["noise", "noise"], ["once"]),
        node("MatMul", ["once", "noise"], ["twice"]),
        node("ReduceSum", ["twice"], ["sum"], keepdims=0),
        node("Mul", ["sum", "zero"], ["nothing"]),
    ],
    [ZERO],
)

# Never sees anything.
detector("blind", [node("Identity", ["zero"], ["nothing"])], [ZERO], blind=True)
