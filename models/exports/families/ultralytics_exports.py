"""Ultralytics: detect, segment, pose, OBB and classify, from its own architecture files at their smallest width.

The answer beside each file is `YOLO("model.onnx").predict(picture)`, that is Ultralytics' own pre- and post-processing
over ONNX Runtime; the same network asked in PyTorch must agree with it.
"""

import functools
import os
import pathlib
import tempfile

import numpy as np
import torch
import yaml
from ultralytics import RTDETR, YOLO
from ultralytics.utils import ROOT, metrics

import drawing
import healthy
from folder import Folder

PACKAGE = "ultralytics 8.4.190"
SETTINGS = {"score_min": 0.25, "iou_max": 0.45, "findings_max": 300}
DEFECTS = ["scratch", "dent", "stain"]
CFG = ROOT / "cfg" / "models"
SEEDS = 200

torch.set_num_threads(1)


def architecture(file, classes, width, bins=None, points=None, prototypes=None):
    """Ultralytics' architecture `file`, as narrow as it gets: `width` of its channels, `bins` of box regression."""
    text = yaml.safe_load((CFG / file).read_text())
    text.update(nc=len(classes), scales={"n": [0.25, width, 512]}, scale="n")
    for layer in text["backbone"] + text["head"]:
        if layer[2] == "A2C2f":  # its attention wants 32 channels inside, however narrow it is outside
            outside = max(8, int(min(layer[3][0], 512) * width))
            layer[3] = [*layer[3][:3], False, 1.0, 32 / outside]
    if bins and "reg_max" not in text:
        text["reg_max"] = bins
    if points:
        text["kpt_shape"] = points
    if prototypes:
        arguments = text["head"][-1][3]
        arguments[1] = prototypes
    path = pathlib.Path(file).name  # the name that Ultralytics writes into the description
    pathlib.Path(path).write_text(yaml.safe_dump(text, sort_keys=False))
    return path


def last_layers(head, score_mean, score_spread):
    """The layers that the answers come out of, with the mean and deviation that make them lively."""
    layers = []
    for prefix in ("", "one2one_"):
        for branch, mean, spread in [
            ("cv2", *((2.0, 0.8) if head.reg_max == 1 else (0.0, 2.0))),
            ("cv3", score_mean, score_spread),
            ("cv4", 0.0, 1.0),
            ("cv4_kpts", 0.0, 1.0),
        ]:
            for level in getattr(head, prefix + branch, None) or []:
                layer = level[-1] if isinstance(level, torch.nn.Sequential) else level
                if isinstance(layer, torch.nn.Conv2d):
                    layers.append((layer, mean, spread))
    return layers


def tensor(picture):
    return torch.from_numpy(picture.transpose(2, 0, 1).copy()).float()[None] / 255


def raw_is_steady(raw, task, classes, gap):
    """Whether no candidate of the raw output `[4+n+…, anchors]` (or end-to-end `[k, 6+…]`) is near a threshold."""
    if raw.shape[-1] in (6, 7) or raw.shape[0] == 300:  # end to end: x0 y0 x1 y1 score class …
        return healthy.steady(raw[:, 4], raw[:, 5], None, 0.25, 0.45, gap)
    raw = raw.T
    scores, best = raw[:, 4 : 4 + classes].max(1), raw[:, 4 : 4 + classes].argmax(1)
    if task == "obb":
        rotated = torch.from_numpy(np.concatenate([raw[:, :4], raw[:, -1:]], 1))
        pairs = metrics.batch_probiou(rotated, rotated).numpy()
    else:
        pairs = healthy.iou(np.concatenate([raw[:, :2] - raw[:, 2:4] / 2, raw[:, :2] + raw[:, 2:4] / 2], 1))
    return healthy.steady(scores, best, pairs, 0.25, 0.45, gap)


def findings(result, names):
    """What Ultralytics' `Results` says, in our words; masks apart."""
    out = []
    boxes = result.obb if result.obb is not None else result.boxes
    for i in range(len(boxes)):
        x0, y0, x1, y1 = boxes.xyxy[i].tolist()
        finding = {
            "class": names[int(boxes.cls[i])],
            "score": float(boxes.conf[i]),
            "box_px": [x0, y0, x1 - x0, y1 - y0],
        }
        if result.obb is not None:
            finding["polygon_px"] = boxes.xyxyxyxy[i].tolist()
            finding["angle_rad"] = float(boxes.xywhr[i][4])
        if result.keypoints is not None:
            points = result.keypoints.data[i].tolist()
            finding["keypoints_px"] = [p if len(p) == 3 else [*p, 1.0] for p in points]
        out.append(finding)
    return out


def agree(ours, theirs):
    """The exported graph and the PyTorch network give the same findings, but for rounding."""
    assert len(ours) == len(theirs), f"{len(ours)} findings over ONNX Runtime, {len(theirs)} in PyTorch"
    for a in ours:

        def apart(b):
            other = a["class"] != b["class"]
            return np.abs(np.subtract(a["box_px"], b["box_px"])).max() + 100 * abs(a["score"] - b["score"]) + other

        near = min(theirs, key=apart)
        assert a["class"] == near["class"] and abs(a["score"] - near["score"]) < 5e-4, f"{a} {near}"
        assert np.abs(np.subtract(a["box_px"], near["box_px"])).max() < 0.05


def detector(
    name,
    file,
    task="detect",
    size=(64, 96),
    width=0.03125,
    bins=4,
    classes=DEFECTS,
    score=(-3.4, 2.0),
    nms=None,
    pictures=1,
    quirks="",
    gap=0.003,
    large=False,
    **more,
):
    """`size` is height, width. `nms`: as in Ultralytics, None raw, True with NMS in the graph, False end to end."""
    export = {k: more.pop(k) for k in ("dynamic", "half", "simplify") if k in more}
    folder = Folder(name, "ultralytics", PACKAGE, task)
    os.chdir(tempfile.mkdtemp())
    path = architecture(file, classes, width, bins, **more)
    height, width_px = size
    shots = [drawing.draw(seed + 100, width_px, height) for seed in range(pictures)]
    batch = torch.cat([tensor(s) for s in shots])
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        yolo = YOLO(path, task=task)
        network = yolo.model
        network.names = dict(enumerate(classes))
        head = network.model[-1]
        network.end2end = nms is False
        healthy.wake(network, batch)
        healthy.spread(network, batch, last_layers(head, *score))
        network.eval()
        with torch.no_grad():
            raw = network(batch)
        while not isinstance(raw, torch.Tensor):
            raw = raw[0]
        if not all(raw_is_steady(r.numpy(), task, len(classes), gap) for r in raw):
            continue
        ask = dict(imgsz=list(size), conf=0.25, iou=0.45, max_det=300, verbose=False, save=False)
        in_torch = [YOLO.predict(yolo, s[..., ::-1], nms=nms if nms is False else None, **ask)[0] for s in shots]
        counts = [len(findings(r, classes)) for r in in_torch]
        kinds = {f["class"] for r in in_torch for f in findings(r, classes)}
        most = 24 if task == "segment" else 60  # each has a mask file of its own
        if not all(5 <= c <= most for c in counts) or len(kinds) < min(2, len(classes)):
            print(f"{name}: seed {seed} gives {counts} findings of {kinds}")
            continue
        break
    else:
        raise SystemExit(f"{name}: none of {SEEDS} seeds is steady")
    # The export must not see the fused network that `predict` left behind.
    torch.manual_seed(seed)
    fresh = YOLO(path, task=task)
    fresh.model.names = dict(enumerate(classes))
    fresh.model.end2end = nms is False
    healthy.wake(fresh.model, batch)
    healthy.spread(fresh.model, batch, last_layers(fresh.model.model[-1], *score))
    half = export.pop("half", False)
    made = fresh.export(
        format="onnx", imgsz=list(size), nms=nms, device="cpu", verbose=False,
        **({"quantize": 16} if half else {}), **({"conf": 0.25, "iou": 0.45, "max_det": 300} if nms else {}), **export,
    )
    folder.take_model(made, date="2026-11-24T00:00:00+00:00")
    onnx_yolo = YOLO(str(folder.model), task=task)
    for i, (shot, torch_result) in enumerate(zip(shots, in_torch)):
        result = onnx_yolo.predict(shot[..., ::-1], **ask)[0]
        found = findings(result, classes)
        if not half:
            agree(found, findings(torch_result, classes))
        masks = result.masks.data.numpy() if result.masks is not None else None
        more = {"file": "picture.png" if i == 0 else f"picture-{i}.png"}
        folder.add_picture(shot, found, masks, **more)
    folder.finish(SETTINGS, seed, quirks, large=large)


def semantic(name, file, size=(64, 96), width=0.0625, quirks=""):
    """A class for every pixel; the answer's findings are whole classes."""
    labels = ["background", *DEFECTS]
    folder = Folder(name, "ultralytics", PACKAGE, "segment")
    os.chdir(tempfile.mkdtemp())
    path = architecture(file, labels, width)
    shot = drawing.draw(108, size[1], size[0], defects=9)
    batch = tensor(shot)

    def network_of(seed):
        torch.manual_seed(seed)
        made = YOLO(path, task="semantic")
        made.model.names = dict(enumerate(labels))
        healthy.wake(made.model, batch)
        healthy.spread(made.model, batch, [(made.model.model[-1].classifier[-1], 0.0, 2.0)])
        return made

    ask = dict(imgsz=list(size), verbose=False, save=False)
    for seed in range(SEEDS):
        in_torch = network_of(seed).predict(shot[..., ::-1], **ask)[0].semantic_mask.data.numpy()
        if (np.bincount(in_torch.ravel(), minlength=len(labels)) > 100).all():
            break
    else:
        raise SystemExit(f"{name}: none of {SEEDS} seeds shows every class")
    made = network_of(seed).export(format="onnx", imgsz=list(size), device="cpu", verbose=False)
    folder.take_model(made, date="2026-11-24T00:00:00+00:00")
    said = YOLO(str(folder.model), task="semantic").predict(shot[..., ::-1], **ask)[0].semantic_mask.data.numpy()
    unsure = int((said != in_torch).sum())
    assert unsure <= 5, f"{unsure} pixels differ between ONNX Runtime and PyTorch"
    found, masks = [], []
    for index, label in enumerate(labels[1:], 1):
        mask = said == index
        rows, columns = np.where(mask)
        box = [columns.min(), rows.min(), columns.max() - columns.min() + 1, rows.max() - rows.min() + 1]
        found.append({"class": label, "score": 1.0, "box_px": [float(v) for v in box]})
        masks.append(mask)
    folder.add_picture(shot, found, masks, meaning="one finding a class: all its pixels; it has no score", unsure_px=unsure)
    folder.finish({}, seed, quirks)


def classifier(name, file, size=64, width=0.0625, classes=(*DEFECTS, "good"), quirks=""):
    folder = Folder(name, "ultralytics", PACKAGE, "classify")
    os.chdir(tempfile.mkdtemp())
    path = architecture(file, classes, width)
    shot = drawing.draw(104, size, size)
    torch.manual_seed(4)
    yolo = YOLO(path, task="classify")
    yolo.model.names = dict(enumerate(classes))
    head = yolo.model.model[-1]
    head.conv = type(head.conv)(head.conv.conv.in_channels, 64, 1)  # 1280 channels are most of the file otherwise
    head.linear = torch.nn.Linear(64, len(classes))
    batch = torch.cat([tensor(drawing.draw(s, size, size)) for s in range(104, 112)])
    healthy.wake(yolo.model, batch)
    healthy.spread(yolo.model, batch, [(head.linear, 0.0, 1.5)])
    made = yolo.export(format="onnx", imgsz=size, device="cpu", verbose=False)
    folder.take_model(made, date="2026-11-24T00:00:00+00:00")
    result = YOLO(str(folder.model), task="classify").predict(shot[..., ::-1], imgsz=size, verbose=False, save=False)[0]
    probabilities = result.probs.data.tolist()
    with torch.no_grad():
        in_torch = yolo.model(tensor(shot))[0][0].tolist()
    assert np.abs(np.subtract(probabilities, in_torch)).max() < 1e-4
    best = int(np.argmax(probabilities))
    found = [{"class": classes[best], "score": probabilities[best]}]
    folder.add_picture(shot, found, probabilities=probabilities, classes=list(classes))
    folder.finish({}, 4, quirks)


def rt_detr(name, side=96, queries=30, quirks=""):
    """Ultralytics' RT-DETR-L with a 16th of its channels."""
    folder = Folder(name, "ultralytics", PACKAGE, "detect")
    os.chdir(tempfile.mkdtemp())
    text = yaml.safe_load((CFG / "rt-detr/rtdetr-l.yaml").read_text())
    text.update(nc=len(DEFECTS), scales={"l": [0.33, 1.0, 1024]})
    for layer in text["backbone"] + text["head"]:
        kind, arguments = layer[2], layer[3]
        if kind in ("HGStem", "HGBlock"):
            layer[3] = [8, max(8, arguments[1] // 64), *arguments[2:]]
        elif kind in ("Conv", "DWConv", "RepC3"):
            layer[3] = [16 if layer in text["head"] else max(8, arguments[0] // 64), *arguments[1:]]
        elif kind == "AIFI":
            layer[3] = [32, 2]
        elif kind == "RTDETRDecoder":
            layer[3] = ["nc", 16, queries, 2, 2, 2, 32]
    pathlib.Path("rtdetr-l.yaml").write_text(yaml.safe_dump(text, sort_keys=False))
    shot = drawing.draw(107, side, side, defects=9)
    batch = tensor(shot)

    def network_of(seed):
        torch.manual_seed(seed)
        made = RTDETR("rtdetr-l.yaml")
        made.model.names = dict(enumerate(DEFECTS))
        head = made.model.model[-1]
        healthy.wake(made.model, batch)
        layers = [(head.enc_score_head, -2.0, 1.5), (head.enc_bbox_head.layers[-1], 0.0, 1.0)]
        layers += [(layer, -1.8, 1.6) for layer in head.dec_score_head]
        layers += [(layer.layers[-1], 0.0, 0.5) for layer in head.dec_bbox_head]
        for layer in layers:
            healthy.spread(made.model, batch, [layer])
        return made

    ask = dict(imgsz=side, conf=0.25, max_det=300, verbose=False, save=False)
    for seed in range(SEEDS):
        with torch.no_grad():
            raw = network_of(seed).model.eval()(batch)[0][0].numpy()
        in_torch = findings(network_of(seed).predict(shot[..., ::-1], **ask)[0], DEFECTS)
        steady = healthy.steady(raw[:, 4], raw[:, 5], None, 0.25, 0.45)
        if steady and 5 <= len(in_torch) < queries and len({f["class"] for f in in_torch}) > 1:
            break
    else:
        raise SystemExit(f"{name}: none of {SEEDS} seeds is steady")
    made = network_of(seed).export(format="onnx", imgsz=side, device="cpu", verbose=False)
    folder.take_model(made, date="2026-11-24T00:00:00+00:00")
    found = findings(RTDETR(str(folder.model)).predict(shot[..., ::-1], **ask)[0], DEFECTS)
    agree(found, in_torch)
    folder.add_picture(shot, found)
    folder.finish({"score_min": 0.25, "iou_max": 1.0, "findings_max": 300}, seed, quirks)


def exports():
    d = functools.partial
    whole = dict(size=(128, 160), score=(-4.5, 2.0))  # more than 300 anchors, so that the head keeps its 300
    e2e = "made with nms=False, which in 8.4.190 chooses the end-to-end head; x0 y0 x1 y1 score class, best first"
    return {
        "ultralytics-v5u-detect": d(detector, file="v5/yolov5.yaml"),
        "ultralytics-v8-detect": d(detector, file="v8/yolov8.yaml"),
        "ultralytics-v11-detect": d(detector, file="11/yolo11.yaml"),
        "ultralytics-v12-detect": d(detector, file="12/yolo12.yaml", large=True, quirks="its area attention wants 32 channels: 580 KB"),
        "ultralytics-26-detect": d(detector, file="26/yolo26.yaml", nms=False, **whole, quirks=e2e),
        "ultralytics-26-detect-raw": d(
            detector, file="26/yolo26.yaml", quirks="nms=None, the default of 8.4.190: raw [1,4+n,N], NMS outside"
        ),
        "ultralytics-v8-segment": d(detector, file="v8/yolov8-seg.yaml", task="segment", prototypes=8),
        "ultralytics-v11-segment": d(detector, file="11/yolo11-seg.yaml", task="segment", prototypes=8),
        "ultralytics-26-segment": d(
            detector, file="26/yolo26-seg.yaml", task="segment", prototypes=8, nms=False, size=(128, 160), score=(-5.5, 2.0), quirks=e2e, large=True
        ),
        "ultralytics-v11-pose": d(
            detector, file="11/yolo11-pose.yaml", task="pose", points=[4, 3], classes=["connector", "screw"]
        ),
        "ultralytics-v8-pose-2d": d(
            detector, file="v8/yolov8-pose.yaml", task="pose", points=[3, 2], classes=["connector"],
            quirks="one class; keypoints have no visibility; the reference gives 1 for it",
        ),
        "ultralytics-26-pose": d(
            detector, file="26/yolo26-pose.yaml", task="pose", points=[4, 3], nms=False, **whole, quirks=e2e, large=True,
            classes=["connector", "screw"],
        ),
        "ultralytics-v11-obb": d(
            detector, file="11/yolo11-obb.yaml", task="obb", quirks="NMS by probabilistic IoU of the turned boxes"
        ),
        "ultralytics-26-obb": d(
            detector, file="26/yolo26-obb.yaml", task="obb", nms=False, **whole, quirks="cx cy w h score class angle, best first"
        ),
        "ultralytics-v8-detect-nms": d(
            detector, file="v8/yolov8.yaml", nms=True,
            quirks="NMS in the graph: [1,300,6], unused rows are zero; metadata says end2end False but args nms True",
        ),
        "ultralytics-v8-segment-nms": d(
            detector, file="v8/yolov8-seg.yaml", task="segment", prototypes=4, nms=True, quirks="NMS in the graph"
        ),
        "ultralytics-v11-detect-dynamic": d(
            detector, file="11/yolo11.yaml", dynamic=True, simplify=False, pictures=2,
            quirks="batch, height and width are dynamic; simplify=False, since slimming adds 500 KB of shape notes",
        ),
        "ultralytics-v8-segment-half": d(
            detector, file="v8/yolov8-seg.yaml", task="segment", prototypes=32, half=True, gap=0.006,
            quirks="fp16 inside; Ultralytics keeps inputs and outputs f32 when it exports on CPU",
        ),
        "ultralytics-26-semantic": d(
            semantic, file="26/yolo26-sem.yaml", quirks="output0 is u8 [1,h,w], the class of each pixel: the argmax is in the graph; no scores"
        ),
        "ultralytics-rtdetr": d(rt_detr, quirks="cx cy w h in 0..1, score, class; no NMS; end2end is False, so only the key head tells"),
        "ultralytics-v8-classify": d(classifier, file="v8/yolov8-cls.yaml"),
        "ultralytics-26-classify": d(classifier, file="26/yolo26-cls.yaml"),
    }
