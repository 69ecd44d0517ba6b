"""Writes texture-bank.onnx: fixed filters, nothing trained, the same bytes at every run.

    pip install -r requirements.txt && python make.py
"""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CELL, WINDOW = 4, 8  # px of the picture given: from cell to cell, and what one cell is the mean of
DIRECTIONS = 6
nodes, weights = [], []


def constant(name, values):
    weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
    return name


def node(op, inputs, output, **attributes):
    nodes.append(helper.make_node(op, inputs, [output], output, **attributes))
    return output


def cells(value, level):
    """The mean over a cell's window; level 1 has half the pixels each way."""
    window, step = WINDOW >> level, CELL >> level
    pad = (window - step) // 2
    return node("AveragePool", [value], value + "/cells", kernel_shape=[window] * 2, strides=[step] * 2,
                pads=[pad] * 4, count_include_pad=0)


def grid(sigma):
    radius = int(3 * sigma)
    y, x = np.mgrid[-radius:radius + 1, -radius:radius + 1].astype(np.float64)
    bell = np.exp(-(x * x + y * y) / (2 * sigma * sigma))
    return radius, x, y, bell / bell.sum()


def kernels(sigma):
    """First and second derivatives of a bell curve in six directions, and its Laplacian, each without a mean."""
    radius, x, y, bell = grid(sigma)
    edges, lines = [], []
    for angle in np.arange(DIRECTIONS) * np.pi / DIRECTIONS:
        along = x * np.cos(angle) + y * np.sin(angle)
        edges.append(-along / sigma**2 * bell * sigma)
        lines.append((along**2 / sigma**4 - 1 / sigma**2) * bell * sigma**2)
    blob = ((x * x + y * y) / sigma**4 - 2 / sigma**2) * bell * sigma**2
    every = np.stack(edges + lines + [blob])
    return radius, (every - every.mean(axis=(1, 2), keepdims=True))[:, None].astype(np.float32)


# Luminance, red against green, and both against blue.
opponent = np.array([[0.299, 0.587, 0.114], [0.5, -0.5, 0.0], [0.25, 0.25, -0.5]], np.float32).reshape(3, 3, 1, 1)
colours = node("Conv", ["picture", constant("opponent", opponent)], "colours")
features = [cells(colours, 0)]
wide = node("AveragePool", [features[0]], "wide", kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4, count_include_pad=0)
features.append(wide)
# Contrast: the root of the variance in a cell's window.
squares = cells(node("Mul", [colours, colours], "squares"), 0)
spread = node("Sub", [squares, node("Mul", [features[0]] * 2, "squared")], "spread")
floored = node("Max", [spread, constant("floor", np.array([1e-6], np.float32))], "floored")
features.append(node("Sqrt", [floored], "contrast"))

first, last, axis = (constant(name, np.array([at], np.int64)) for name, at in (("first", 0), ("last", 1), ("axis", 1)))
light = node("Slice", [colours, first, last, axis], "light")
half = node("AveragePool", [light], "half", kernel_shape=[2, 2], strides=[2, 2])
for name, of, level, sigma in (("fine", light, 0, 1.0), ("middle", light, 0, 2.0), ("coarse", half, 1, 2.0)):
    radius, filters = kernels(sigma)
    pads = constant(name + "/pads", np.array([0, 0, radius, radius] * 2, np.int64))
    padded = node("Pad", [of, pads], name + "/padded", mode="edge")
    answer = node("Conv", [padded, constant(name + "/filters", filters)], name)
    two = [constant(f"{name}/at{i}", np.array([at], np.int64)) for i, at in enumerate((0, 2 * DIRECTIONS, 2 * DIRECTIONS + 1))]
    directed = node("Slice", [answer, two[0], two[1], axis], name + "/directed")
    blob = node("Slice", [answer, two[1], two[2], axis], name + "/blob")
    features.append(cells(node("Abs", [directed], name + "/strength"), level))
    features.append(cells(node("Relu", [blob], name + "/dark"), level))
    features.append(cells(node("Relu", [node("Neg", [blob], name + "/turned")], name + "/bright"), level))
node("Concat", features, "features", axis=1)

channels = 3 * 3 + 3 * (2 * DIRECTIONS + 2)
graph = helper.make_graph(
    nodes, "texture-bank",
    [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, "height", "width"])],
    [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, channels, "rows", "columns"])],
    weights,
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="plumb")
onnx.checker.check_model(model, full_check=True)
onnx.save(model, pathlib.Path(__file__).with_name("texture-bank.onnx"))
