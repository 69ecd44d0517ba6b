#!/usr/bin/env python3
"""Writes a YOLOv8n as Ultralytics exports it, weights drawn at random from a seed: what Plumb is compared on with others.

    pip install -r benches/peers/requirements.txt && python benches/models/make_yolo.py [--out .plumb/bench] [--side 640]

`cargo bench -p plumb-benches --bench models` starts this by itself when the model is not there. Nothing is downloaded:
the network is built from the configuration that comes with the package. What it finds means nothing; what it costs
and what its output looks like is real: 12 MB, 8.7 GFLOP, `[1, 84, 8400]`, about sixty candidates a picture.

Beside it `bench-yolo-640-answer`: takes and gives the same, but always gives what `bench-yolo-640` gave for one of the
pictures, at the cost of a copy; so that the time of reading an output can be told from the time of making it. The
same numbers lie in a file `.npy`, for those who read them elsewhere.

The files carry the licence of Ultralytics (AGPL-3.0): they stay on the machine that made them.
"""

import argparse
import hashlib
import pathlib
import shutil
import tempfile

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from ultralytics import YOLO

CANDIDATES = 60
SCORE_MIN = 0.25


def letterboxed(picture, side):
    """As preprocessing does it: f32 `[1, 3, side, side]`, RGB, 0..1, padded with 114."""
    height, width = picture.shape[:2]
    scale = min(side / height, side / width)
    height, width = round(height * scale), round(width * scale)
    top, left = (side - height) // 2, (side - width) // 2
    box = np.full((side, side, 3), 114, np.uint8)
    box[top:top + height, left:left + width] = cv2.resize(picture, (width, height))
    return np.ascontiguousarray(box[..., ::-1].transpose(2, 0, 1)[None], np.float32) / 255


def settle(network, pictures):
    """Random weights let numbers vanish on their way down: normalise each layer by what it sees in the pictures."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the plain mean over all batches
    network.train()
    # Deeper layers settle only once those above them have: a few passes, then the mean over the last.
    for _ in range(3):
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.reset_running_stats()
        network(pictures)
    network.eval()


def aim(network, pictures):
    """Scales the last layer of the classes so that about CANDIDATES cells of a picture reach SCORE_MIN."""
    detect = network.model[-1]
    last = [branch[-1] for branch in detect.cv3]
    seen = [[] for _ in last]
    for conv, logits in zip(last, seen):
        torch.nn.init.zeros_(conv.bias)
        conv.register_forward_hook(lambda _m, _i, out, logits=logits: logits.append(out.flatten(2)))
    network(pictures)
    for conv, logits in zip(last, seen):
        out = logits.pop()
        mean, spread = out.mean((0, 2)), out.std((0, 2)).clamp_min(1e-6)
        conv.weight /= spread[:, None, None, None]
        conv.bias.copy_(-mean / spread)
        logits.append((out - mean[:, None]) / spread[:, None])
    best = torch.cat([logits.pop() for logits in seen], 2).amax(1).flatten()
    reached = torch.quantile(best.double(), 1 - CANDIDATES * len(pictures) / len(best)).item()
    wanted = float(np.log(SCORE_MIN / (1 - SCORE_MIN)))
    for conv in last:
        conv._forward_hooks.clear()
        conv.bias += wanted - reached


def answer(given, found, path):
    """Output that owes one number of the input, so that nothing can leave the input out."""
    weights = {"found": found, "starts": np.zeros(4, np.int64), "ends": np.ones(4, np.int64),
               "shape": np.ones(3, np.int64), "none": np.float32(0)}
    nodes = [("Slice", ["images", "starts", "ends"], "corner"), ("Reshape", ["corner", "shape"], "one"),
             ("Mul", ["one", "none"], "nothing"), ("Add", ["found", "nothing"], "output0")]
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        [helper.make_node(op, inputs, [output]) for op, inputs, output in nodes], path.stem,
        [value("images", given.shape)], [value("output0", found.shape)],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="plumb benches")
    model.ir_version = 8
    onnx.save(model, path)


def card(file, labels, side, method):
    names = ", ".join(f'"{label}"' for label in labels)
    file.with_suffix(".toml").write_text(f"""\
name = "{file.stem}"
file = "{file.name}"
sha256 = "{hashlib.sha256(file.read_bytes()).hexdigest()}"
labels = [{names}]

[family]
kind = "detector"
output = "yolo_v8"
score_min = {SCORE_MIN}
iou_max = 0.5

[input]
width = {side}
height = {side}
fit = {{ kind = "letterbox" }}

[about]
method = "{method}"
licence = "AGPL-3.0"
""")


@torch.no_grad()
def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    arguments.add_argument("--out", type=pathlib.Path, default=root / ".plumb" / "bench")
    arguments.add_argument("--pictures", type=pathlib.Path, help="*.png; by default the folder `pictures` in --out")
    arguments.add_argument("--side", type=int, default=640, help="of the model's input in px (640)")
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    folder = given.pictures or given.out / "pictures"
    pictures = [letterboxed(cv2.imread(str(file)), given.side) for file in sorted(folder.glob("*.png"))]
    if not pictures:
        raise SystemExit(f"there is no picture in {folder}; the bench `models` draws them when it runs")
    torch.manual_seed(given.seed)
    network = YOLO("yolov8n.yaml").model.float()
    batch = torch.from_numpy(np.concatenate(pictures[:8]))
    settle(network, batch)
    aim(network, batch)

    file = given.out / f"bench-yolo-{given.side}.onnx"
    with tempfile.TemporaryDirectory() as scratch:
        yolo = YOLO("yolov8n.yaml")
        yolo.model.load_state_dict(network.state_dict())
        yolo.ckpt_path = yolo.model.pt_path = str(pathlib.Path(scratch) / "bench-yolo.pt")
        made = yolo.export(format="onnx", imgsz=given.side, opset=17)
        shutil.copyfile(made, file)
    labels = [name.replace('"', "'") for name in network.names.values()]
    labels = labels if len(set(labels)) == len(labels) else [f"class {i}" for i in range(len(labels))]
    card(file, labels, given.side, f"YOLOv8n of Ultralytics, random weights from seed {given.seed}; only its cost is real")

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    found = [session.run(None, {"images": picture})[0] for picture in pictures]
    counts = [int((each[0, 4:].max(0) >= SCORE_MIN).sum()) for each in found]
    typical = int(np.argsort(counts)[len(counts) // 2])
    copy = given.out / f"bench-yolo-{given.side}-answer.onnx"
    answer(pictures[0], found[typical], copy)
    np.save(copy.with_suffix(".npy"), found[typical])
    card(copy, labels, given.side, f"gives what {file.stem} gave for picture {typical}")
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB, {found[0].shape}, candidates a picture {counts}")


if __name__ == "__main__":
    main()
