#!/usr/bin/env python3
"""Writes a detector for benchmarks: the shape and cost of YOLOv8n at 640x640, weights drawn at random from a seed.

    pip install onnx==1.23.2 numpy && python benches/models/make_detector.py [--out .plumb/bench] [--seed 1]

What it finds means nothing; what it costs is what a real detector of that size costs: about 3 million weights (12 MB
as f32), 8.7 GFLOP, 8 400 boxes of 3 classes in the `yolo_v8` layout. The graph is built here from convolutions, so that
nothing has to be downloaded and no training tool's licence applies. The last layers are set so that an even picture
gives no finding, a photograph a few and noise hundreds of boxes: reading the output is part of what is measured.

Beside it `bench-blank`: takes and gives the same and does nothing in between (it finds the same five boxes in every
picture), so that what a frame costs outside the model can be told from the model's own spread. And `bench-batch`: the
detector once more, with its batch left open, for what several pictures in one run are worth (`benches/gpu`).
"""

import argparse
import hashlib
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = ("bottle", "cap", "crate")
SIDE = 640


class Graph:
    """Nodes and weights as they are added; every method gives back the name of its output."""

    def __init__(self, seed, batch=1):
        self.batch = batch  # as Reshape writes it: 1, or 0 for as many as come
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights, self.channels = [], [], {"images": 3}

    def name(self):
        return f"t{len(self.nodes)}"

    def node(self, op, inputs, channels, **attributes):
        output = self.name()
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        self.channels[output] = channels
        return output

    def constant(self, values):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def conv(self, x, out, kernel=1, stride=1, activated=True, bias=0.0, gain=1.0):
        """Convolution; then SiLU, as x·sigmoid(x)."""
        fan_in = self.channels[x] * kernel * kernel
        # He's spread, and a little more for what SiLU takes away, so that values do not vanish on their way down.
        weights = self.random.normal(0, gain * (2.8 / fan_in) ** 0.5, (out, self.channels[x], kernel, kernel))
        inputs = [x, self.constant(weights.astype(np.float32)), self.constant(np.full(out, bias, np.float32))]
        pad = kernel // 2
        y = self.node("Conv", inputs, out, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)
        return self.node("Mul", [y, self.node("Sigmoid", [y], out)], out) if activated else y

    def concat(self, parts):
        return self.node("Concat", parts, sum(self.channels[p] for p in parts), axis=1)

    def c2f(self, x, out, repeats, shortcut):
        half = out // 2
        x = self.conv(x, out)
        halves = [f"{self.name()}a", f"{self.name()}b"]
        self.nodes.append(helper.make_node("Split", [x, self.constant(np.array([half, half]))], halves, axis=1))
        self.channels.update({part: half for part in halves})
        parts = list(halves)
        for _ in range(repeats):
            y = self.conv(self.conv(parts[-1], half, 3), half, 3)
            parts.append(self.node("Add", [parts[-1], y], half) if shortcut else y)
        return self.conv(self.concat(parts), out)

    def sppf(self, x, out):
        parts = [self.conv(x, out // 2)]
        for _ in range(3):
            parts.append(self.node("MaxPool", [parts[-1]], out // 2, kernel_shape=[5, 5], pads=[2] * 4, strides=[1, 1]))
        return self.conv(self.concat(parts), out)

    def upsample(self, x):
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        return self.node("Resize", [x, "", scales], self.channels[x], mode="nearest",
                         coordinate_transformation_mode="asymmetric", nearest_mode="floor")

    def reshape(self, x, shape, channels):
        return self.node("Reshape", [x, self.constant(np.array(shape))], channels)


def build(graph):
    # Backbone.
    x = graph.conv("images", 16, 3, 2)
    x = graph.c2f(graph.conv(x, 32, 3, 2), 32, 1, True)
    p3 = graph.c2f(graph.conv(x, 64, 3, 2), 64, 2, True)
    p4 = graph.c2f(graph.conv(p3, 128, 3, 2), 128, 2, True)
    p5 = graph.sppf(graph.c2f(graph.conv(p4, 256, 3, 2), 256, 1, True), 256)
    # Neck.
    n4 = graph.c2f(graph.concat([graph.upsample(p5), p4]), 128, 1, False)
    n3 = graph.c2f(graph.concat([graph.upsample(n4), p3]), 64, 1, False)
    n4 = graph.c2f(graph.concat([graph.conv(n3, 64, 3, 2), n4]), 128, 1, False)
    n5 = graph.c2f(graph.concat([graph.conv(n4, 128, 3, 2), p5]), 256, 1, False)
    # Heads: for each cell the distances to the four sides (16 bins each) and a score for each class.
    sides, scores, centres, strides = [], [], [], []
    for x, stride in ((n3, 8), (n4, 16), (n5, 32)):
        cells = SIDE // stride
        box = graph.conv(graph.conv(graph.conv(x, 64, 3), 64, 3), 64, activated=False)
        cls = graph.conv(graph.conv(graph.conv(x, 64, 3), 64, 3), len(CLASSES), activated=False, bias=-9.0, gain=145.0)
        sides.append(graph.reshape(box, [graph.batch, 64, cells * cells], 64))
        scores.append(graph.reshape(cls, [graph.batch, len(CLASSES), cells * cells], len(CLASSES)))
        y, x = np.mgrid[:cells, :cells] + 0.5
        centres.append(np.stack([x.ravel(), y.ravel()]))
        strides.append(np.full(cells * cells, stride))
    join = lambda parts, channels: graph.node("Concat", parts, channels, axis=2)
    box = graph.reshape(join(sides, 64), [graph.batch, 4, 16, -1], 4)
    bins = graph.constant(np.arange(16, dtype=np.float32).reshape(1, 1, 16, 1))
    box = graph.node("Mul", [graph.node("Softmax", [box], 4, axis=2), bins], 4)
    box = graph.node("ReduceSum", [box, graph.constant(np.array([2]))], 4, keepdims=0)
    left_top, right_bottom = f"{graph.name()}a", f"{graph.name()}b"
    graph.nodes.append(helper.make_node("Split", [box, graph.constant(np.array([2, 2]))], [left_top, right_bottom], axis=1))
    centre = graph.constant(np.concatenate(centres, 1)[None].astype(np.float32))
    two = graph.constant(np.float32(2))
    apart = graph.node("Sub", [right_bottom, left_top], 2)
    middle = graph.node("Add", [centre, graph.node("Div", [apart, two], 2)], 2)
    size = graph.node("Add", [right_bottom, left_top], 2)
    boxes = graph.node("Concat", [middle, size], 4, axis=1)
    boxes = graph.node("Mul", [boxes, graph.constant(np.concatenate(strides).astype(np.float32).reshape(1, 1, -1))], 4)
    probabilities = graph.node("Sigmoid", [join(scores, len(CLASSES))], len(CLASSES))
    graph.nodes.append(helper.make_node("Concat", [boxes, probabilities], ["output0"], axis=1))


def blank(graph, boxes):
    """Output that owes one number of the input, so that nothing can leave the input out."""
    found = np.zeros((1, 4 + len(CLASSES), boxes), np.float32)
    for at in range(5):
        found[0, :, at * boxes // 5] = (60 + 120 * at, 320, 80, 200, 0.9, 0.1, 0.0)
    starts, ends = graph.constant(np.zeros(4, np.int64)), graph.constant(np.ones(4, np.int64))
    corner = graph.node("Slice", ["images", starts, ends], 1)
    nothing = graph.node("Mul", [graph.reshape(corner, [1, 1, 1], 1), graph.constant(np.float32(0))], 1)
    graph.nodes.append(helper.make_node("Add", [graph.constant(found), nothing], ["output0"]))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    arguments.add_argument("--out", type=pathlib.Path, default=root / ".plumb" / "bench")
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()

    boxes = sum((SIDE // stride) ** 2 for stride in (8, 16, 32))
    given.out.mkdir(parents=True, exist_ok=True)
    graph = Graph(given.seed)
    build(graph)
    write(given.out, "bench-detector", graph, boxes,
          f"random weights from seed {given.seed}; it finds nothing that is there, only its cost is real")
    graph = Graph(given.seed, batch=0)
    build(graph)
    write(given.out, "bench-batch", graph, boxes, "bench-detector with its batch left open")
    graph = Graph(given.seed)
    blank(graph, boxes)
    write(given.out, "bench-blank", graph, boxes, "no weights; it finds the same five boxes in every picture, at no cost")


def write(out, name, graph, boxes, method):
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, [graph.batch or "batch", *shape])
    model = helper.make_model(
        helper.make_graph(
            graph.nodes, name, [value("images", [3, SIDE, SIDE])],
            [value("output0", [4 + len(CLASSES), boxes])], graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", 13)], producer_name="plumb benches",
    )
    model.ir_version = 8
    onnx.checker.check_model(model)
    data = model.SerializeToString(deterministic=True)
    (out / f"{name}.onnx").write_bytes(data)
    labels = ", ".join(f'"{label}"' for label in CLASSES)
    (out / f"{name}.toml").write_text(f"""\
name = "{name}"
file = "{name}.onnx"
sha256 = "{hashlib.sha256(data).hexdigest()}"
labels = [{labels}]

[family]
kind = "detector"
output = "yolo_v8"
score_min = 0.25
iou_max = 0.5

[input]
width = {SIDE}
height = {SIDE}
fit = {{ kind = "letterbox" }}

[about]
method = "{method}"
licence = "Apache-2.0"
""")
    print(f"{out / name}.onnx: {len(data) / 1e6:.1f} MB, {boxes} boxes")


if __name__ == "__main__":
    main()
