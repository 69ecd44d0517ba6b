#!/usr/bin/env python3
"""Writes the small models of `tests/every_family.rs`, each with its card beside it.

    pip install onnx==1.23.2 && python make.py

The weights are written out here, so that every output can be worked out by hand. The files are the same, byte for
byte, on every run; change a model here, run this, and commit both.
"""

import hashlib
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
F32, F16, U8, I64 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.INT64


def constant(name, values, dtype=np.float32):
    return numpy_helper.from_array(np.asarray(values, dtype=dtype), name)


def write(name, nodes, inputs, outputs, constants=(), opsets=(("", 13),), labels=(), family="", card_input="", side=32, head=""):
    graph = helper.make_graph(nodes, name, inputs, outputs, list(constants))
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(*opset) for opset in opsets],
        producer_name="plumb tests",
    )
    model.ir_version = 8
    data = model.SerializeToString(deterministic=True)
    (HERE / f"{name}.onnx").write_bytes(data)
    (HERE / f"{name}.toml").write_text(
        head + f'name = "{name}"\nfile = "{name}.onnx"\nsha256 = "{hashlib.sha256(data).hexdigest()}"\n'
        f"labels = [{', '.join(f'{label!r}' for label in labels)}]\n".replace("'", '"')
        + f"[family]\n{family}\n[input]\nwidth = {side}\nheight = {side}\n{card_input}"
    )
    print(f"{name}: {len(data)} bytes")


def value(name, element, shape):
    return helper.make_tensor_value_info(name, element, shape)


def picture(element=F32, shape=(1, 3, 32, 32)):
    return value("picture", element, shape)


# --- detectors: three fixed boxes, whose scores are multiplied by the brightest pixel ---------------------------------
# cx, cy, w, h, bottle, cap: a bottle, a worse box of the same bottle, a cap.
BOXES = [[16, 16, 16, 24, 0.9, 0.05], [17, 16, 16, 24, 0.6, 0.0], [16, 6, 8, 4, 0.1, 0.8]]
DETECTOR = 'kind = "detector"\noutput = "{}"\nscore_min = 0.25\niou_max = 0.5\n'


def detector(name, output, rows, shape, **more):
    """`output = rows · (1 but in the score columns, there the brightest pixel)`."""
    rows = np.asarray(rows, dtype=np.float32)
    scores = np.zeros_like(rows)
    scores[..., 4 : 5 if output != "yolo_v8" else None] = rows[..., 4 : 5 if output != "yolo_v8" else None]
    boxes = rows - scores
    if output == "yolo_v8":
        boxes, scores = boxes.T, scores.T
    nodes = [
        helper.make_node("ReduceMax", ["picture"], ["brightest"], keepdims=0),
        helper.make_node("Mul", ["scores", "brightest"], ["scored"]),
        helper.make_node("Add", ["boxes", "scored"], ["detections"]),
    ]
    write(
        name,
        nodes,
        [more.pop("picture", picture())],
        [value("detections", F32, shape)],
        [constant("boxes", boxes[None]), constant("scores", scores[None])],
        labels=more.pop("labels", ("bottle", "cap")),
        family=DETECTOR.format(output),
        **more,
    )


detector("detector-yolo-v8", "yolo_v8", BOXES, [1, 6, 3])
detector(
    "detector-dynamic", "yolo_v8", BOXES, ["n", 6, "k"],
    picture=picture(shape=("n", 3, "h", "w")),
)
detector("detector-yolo-v5", "yolo_v5", [box[:4] + [1.0] + box[4:] for box in BOXES], [1, 3, 7])
corners = [[cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, max(a, b), float(b > a)] for cx, cy, w, h, a, b in BOXES]
detector("detector-end-to-end", "yolo_end_to_end", corners, [1, 3, 6])

# Lists of what is above 0.25, however many that are: in the dark none at all.
nodes = [
    helper.make_node("ReduceMax", ["picture"], ["brightest"], keepdims=0),
    helper.make_node("Mul", ["best", "brightest"], ["scored"]),
    helper.make_node("Greater", ["scored", "least"], ["above"]),
    helper.make_node("NonZero", ["above"], ["where"]),
    helper.make_node("Squeeze", ["where", "first"], ["places"]),
    helper.make_node("Gather", ["corners", "places"], ["boxes"]),
    helper.make_node("Gather", ["classes", "places"], ["labels"]),
    helper.make_node("Gather", ["scored", "places"], ["scores"]),
]
write(
    "detector-torchvision", nodes, [picture()],
    [value("boxes", F32, ["n", 4]), value("labels", I64, ["n"]), value("scores", F32, ["n"])],
    [
        constant("best", [0.9, 0.8]), constant("least", 0.25), constant("first", [0], np.int64),
        constant("corners", [corners[0][:4], corners[2][:4]]), constant("classes", [1, 2], np.int64),
    ],
    labels=("bottle", "cap"), family='kind = "detector"\noutput = "torchvision"\n',
)


# --- boxes of which more is known: after cx, cy, w, h, bottle, cap ----------------------------------------------------
def columns(name, rows, family, more_outputs=(), more_nodes=(), more_constants=()):
    """One column a box; the scores are multiplied by the brightest pixel, everything else is given as it stands."""
    rows = np.asarray(rows, dtype=np.float32)
    scores = np.zeros_like(rows)
    scores[:, 4:6] = rows[:, 4:6]
    write(
        name,
        [
            helper.make_node("ReduceMax", ["picture"], ["brightest"], keepdims=0),
            helper.make_node("Mul", ["scores", "brightest"], ["scored"]),
            helper.make_node("Add", ["others", "scored"], ["detections"]),
            *more_nodes,
        ],
        [picture()],
        [value("detections", F32, [1, rows.shape[1], len(rows)]), *more_outputs],
        [constant("others", (rows - scores).T[None]), constant("scores", scores.T[None]), *more_constants],
        labels=("bottle", "cap"), family=family,
    )


# Its middle, and a place beyond the picture's edge.
columns(
    "pose", [[*box, 16, 16, 0.75, 40, 8, 0.5] for box in BOXES],
    'kind = "pose"\noutput = "yolo_v8"\nkeypoints = 2\n',
)
# The bottle has fallen over, the cap is turned by 45°.
columns(
    "oriented-detector", [[*box, angle] for box, angle in zip(BOXES, [np.pi / 2, np.pi / 2, np.pi / 4])],
    'kind = "oriented_detector"\noutput = "yolo_v8"\n',
)
# The left half of the picture, and all of it; the bottle is of the one, the cap of the other.
LEFT = np.where(np.arange(8) < 4, 1.0, -1.0) * np.ones((8, 1))
columns(
    "instance-segmenter", [[*box, *weights] for box, weights in zip(BOXES, [[4, 0], [4, 0], [0, 4]])],
    'kind = "instance_segmenter"\noutput = "yolo_v8"\n',
    more_outputs=[value("prototypes", F32, [1, 2, 8, 8])],
    # OpenVINO takes no output that is a constant.
    more_nodes=[helper.make_node("Mul", ["halves", "brightest"], ["prototypes"])],
    more_constants=[constant("halves", np.stack([LEFT, np.ones((8, 8))])[None])],
)

# --- segmenters: red is a scratch, green is a dent, what is dark is background ----------------------------------------
# Logits: background 0, scratch 20·red − 10, dent 20·green − 10.
SCRATCH = constant("weights", np.array([[0, 0, 0], [20, 0, 0], [0, 20, 0]]).reshape(3, 3, 1, 1))
BIAS = constant("bias", [0, -10, -10])
SEGMENTER = 'kind = "segmenter"\nbackground = 0\n'
conv = helper.make_node("Conv", ["picture", "weights", "bias"], ["logits"], kernel_shape=[1, 1])
write(
    "segmenter", [conv], [picture()], [value("logits", F32, [1, 3, 32, 32])], [SCRATCH, BIAS],
    labels=("background", "scratch", "dent"), family=SEGMENTER,
)
# A map of class numbers at half the size.
write(
    "segmenter-classes",
    [
        helper.make_node("Conv", ["picture", "weights", "bias"], ["logits"], kernel_shape=[1, 1], strides=[2, 2]),
        helper.make_node("ArgMax", ["logits"], ["classes"], axis=1, keepdims=0),
    ],
    [picture()], [value("classes", I64, [1, 16, 16])], [SCRATCH, BIAS],
    labels=("background", "scratch", "dent"), family=SEGMENTER,
)
# One channel, sigmoid: 20·red − 10.
write(
    "segmenter-binary",
    [helper.make_node("Conv", ["picture", "weights", "bias"], ["logits"], kernel_shape=[1, 1])],
    [picture()], [value("logits", F32, [1, 1, 32, 32])],
    [constant("weights", np.array([20, 0, 0]).reshape(1, 3, 1, 1)), constant("bias", [-10])],
    labels=("scratch",), family='kind = "segmenter"\nactivation = "sigmoid"\narea_min_px = 3.0\n',
)

# --- anomaly: how far a grey pixel is from 0.5, and the highest of it -------------------------------------------------
distance = [
    helper.make_node("Sub", ["picture", "normal"], ["apart"]),
    helper.make_node("Abs", ["apart"], ["anomaly_map"]),
    helper.make_node("ReduceMax", ["anomaly_map"], ["pred_score"], axes=[1, 2, 3], keepdims=0),
]
GREY = 'colour = "grey"\n'
write(
    "anomaly", distance, [picture(shape=(1, 1, 32, 32))],
    [value("anomaly_map", F32, [1, 1, 32, 32]), value("pred_score", F32, [1])], [constant("normal", 0.5)],
    labels=("anomaly",), family='kind = "anomaly"\nmap_min = 0.25\n', card_input=GREY,
)
write(
    "anomaly-map-only", distance[:2], [picture(shape=(1, 1, 32, 32))],
    [value("anomaly_map", F32, [1, 1, 32, 32])], [constant("normal", 0.5)],
    labels=("anomaly",), family='kind = "anomaly"\nmap_min = 0.25\n', card_input=GREY,
)

# --- classifiers: the mean of red, green and blue, times ten ----------------------------------------------------------
def classifier(name, element, before, card_input, family='kind = "classifier"', batch=1, after=(), constants=(), **more):
    dtype = np.float16 if element == F16 else np.float32
    nodes = before + [
        helper.make_node("GlobalAveragePool", ["colours"], ["mean"]),
        helper.make_node("Mul", ["mean", "ten"], ["scaled"]),
        helper.make_node("Flatten", ["scaled"], ["sums" if after else "logits"]),
        *after,
    ]
    given = U8 if before[0].op_type == "Cast" else element
    write(
        name, nodes, [picture(given, (batch, 3, 32, 32))], [value("logits", element, [batch, 3])],
        [constant("ten", 10, dtype), *constants],
        labels=("red", "green", "blue"), family=family, card_input=card_input, **more,
    )


classifier("classifier", F32, [helper.make_node("Identity", ["picture"], ["colours"])], "")
classifier("classifier-f16", F16, [helper.make_node("Identity", ["picture"], ["colours"])], 'element = "f16"\n')
classifier("classifier-u8", F32, [helper.make_node("Cast", ["picture"], ["colours"], to=F32)], 'element = "u8"\n')

# --- several pictures in one run ---------------------------------------------------------------------------------------
# (`detector-dynamic` above leaves its batch open too, but gives one picture's worth of boxes whatever it is given.)
AS_IT_IS = [helper.make_node("Identity", ["picture"], ["colours"])]
classifier("classifier-batch", F32, AS_IT_IS, "", batch="n")
classifier("classifier-batch-of-4", F32, AS_IT_IS, "", batch=4)
# Divided by the picture's own brightest pixel: a black one gives 0/0.
classifier(
    "classifier-nan-when-black", F32, AS_IT_IS, "", batch="n",
    after=[
        helper.make_node("ReduceMax", ["colours"], ["brightest"], axes=[2, 3], keepdims=0),
        helper.make_node("Div", ["sums", "brightest"], ["logits"]),
    ],
)

# --- a device without memory -------------------------------------------------------------------------------------------
# A number above 1.5, which no picture has, makes it ask for some 40 TB, any other for four bytes.
classifier(
    "classifier-hungry", F32, AS_IT_IS, "",
    after=[
        helper.make_node("ReduceMax", ["colours"], ["brightest"], keepdims=0),
        helper.make_node("Sub", ["brightest", "limit"], ["above"]),
        helper.make_node("Relu", ["above"], ["over"]),
        helper.make_node("Mul", ["over", "many"], ["numbers"]),
        helper.make_node("Cast", ["numbers"], ["whole"], to=I64),
        helper.make_node("Add", ["whole", "one"], ["length"]),
        helper.make_node("ConstantOfShape", ["length"], ["zeros"]),
        helper.make_node("ReduceMax", ["zeros"], ["zero"], keepdims=0),
        helper.make_node("Add", ["sums", "zero"], ["logits"]),
    ],
    constants=[constant("limit", 1.5), constant("many", 1e14), constant("one", [1], np.int64)],
)

# --- weights in a file of their own ------------------------------------------------------------------------------------
def weights_apart(name):
    """`segmenter` with its weights in `<name>.bin`."""
    weights = np.array([[0, 0, 0], [20, 0, 0], [0, 20, 0]], dtype=np.float32)
    apart = TensorProto(name="weights", dims=[3, 3, 1, 1], data_type=F32, data_location=TensorProto.EXTERNAL)
    for key, text in (("location", f"{name}.bin"), ("offset", "0"), ("length", str(weights.nbytes))):
        apart.external_data.add(key=key, value=text)
    (HERE / f"{name}.bin").write_bytes(weights.tobytes())
    digest = hashlib.sha256(weights.tobytes()).hexdigest()
    write(
        name, [conv], [picture()], [value("logits", F32, [1, 3, 32, 32])], [apart, BIAS],
        labels=("background", "scratch", "dent"), family=SEGMENTER,
        head=f'weights = [{{ file = "{name}.bin", sha256 = "{digest}" }}]\n',
    )


weights_apart("segmenter-weights-apart")

classifier(
    "classifier-multi-label", F32, [helper.make_node("Sub", ["picture", "half"], ["colours"])], "",
    'kind = "classifier"\nactivation = "sigmoid"\nmulti_label = true\n',
    constants=[constant("half", 0.5)],
)

# --- models to be refused ---------------------------------------------------------------------------------------------
write(
    "refused-operator", [helper.make_node("Frobnicate", ["picture"], ["logits"], domain="org.example")],
    [picture()], [value("logits", F32, [1, 3])], opsets=(("", 13), ("org.example", 1)),
    labels=("red", "green", "blue"), family='kind = "classifier"',
)
write(
    "refused-two-inputs", [helper.make_node("Add", ["picture", "golden"], ["logits"])],
    [picture(), value("golden", F32, [1, 3, 32, 32])], [value("logits", F32, [1, 3, 32, 32])],
    labels=("a", "b", "c"), family='kind = "segmenter"\n',
)
write(
    "refused-six-channels",
    [helper.make_node("GlobalAveragePool", ["picture"], ["mean"]), helper.make_node("Flatten", ["mean"], ["logits"])],
    [picture(shape=(1, 6, 32, 32))], [value("logits", F32, [1, 6])],
    labels=("a", "b", "c", "d", "e", "f"), family='kind = "classifier"',
)
# A fixed batch that comes out as one.
write(
    "refused-batch-lost", [helper.make_node("ReduceMean", ["picture"], ["logits"], axes=[0, 2, 3], keepdims=0)],
    [picture(shape=(4, 3, 32, 32))], [value("logits", F32, [3])],
    labels=("red", "green", "blue"), family='kind = "classifier"',
)
