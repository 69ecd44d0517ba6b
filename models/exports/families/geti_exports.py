"""Geti / OpenVINO Model API: small graphs with the metadata `model_info …` that Model API embeds.

The answer is what its wrappers say when they are made again from the saved file, over ONNX Runtime.
"""

import functools
import os
import tempfile

import cv2
import numpy as np
import torch
from model_api.adapters import ONNXRuntimeAdapter, OpenvinoAdapter, create_core
from model_api.models import Model

import drawing
import healthy
import small
from folder import Folder

PACKAGE = "openvino-model-api 0.4.7"
DEFECTS = ["scratch", "dent", "stain"]
HEIGHT, WIDTH = 64, 96
MEAN, SCALE = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
COLOURS = {"mean_values": MEAN, "scale_values": SCALE, "reverse_input_channels": True}

torch.set_num_threads(1)


def tensor(picture, mean=MEAN, scale=SCALE):
    return torch.from_numpy(((picture - np.array(mean)) / np.array(scale)).astype(np.float32).transpose(2, 0, 1))[None]


def network_of(make, seed, batch):
    torch.manual_seed(seed)
    network = make()
    healthy.wake(network, batch)
    for layer in network.last():
        healthy.spread(network, batch, [layer])
    return network.eval()


def embed(folder, network, batch, kind, outputs, configuration, saved=False):
    """Exports the network, has Model API put its metadata in and reads the file back with it.

    `saved`: by `Model.save`, which writes every parameter; else by `update_model_info` with what OTX and Geti write.
    """
    os.chdir(tempfile.mkdtemp())
    torch.onnx.export(
        network, (batch,), "bare.onnx", opset_version=17, dynamo=False, input_names=["image"], output_names=outputs
    )
    adapter = ONNXRuntimeAdapter("bare.onnx")
    if saved:
        model = Model.get_model_class(kind)(adapter, configuration, preload=True)
        model.save("model.onnx")
        folder.take_model("model.onnx")
        return model  # it cannot read this file itself: see the quirks
    adapter.update_model_info({"model_type": kind, **configuration})
    adapter.save_model("model.onnx")
    folder.take_model("model.onnx")
    if kind == "AnomalyDetection":  # Model API runs this kind on OpenVINO only
        exact = {"INFERENCE_PRECISION_HINT": "f32"}  # else it computes in bf16 on some processors
        adapter = OpenvinoAdapter(create_core(), str(folder.model), device="CPU", plugin_config=exact)
    else:
        adapter = ONNXRuntimeAdapter(str(folder.model))
    kind = adapter.get_rt_info(["model_info", "model_type"]).astype(str)
    return Model.get_model_class(kind)(adapter, {}, preload=True)


def shot_of(seed):
    return drawing.draw(seed, WIDTH, HEIGHT, defects=8)


def detection(name, quirks=""):
    folder = Folder(name, "geti", PACKAGE, "detect")
    shot, iou_max, score_min = shot_of(601), 0.45, 0.3
    batch = tensor(shot)
    for seed in range(400):
        network = network_of(lambda: small.Detector(len(DEFECTS)), seed, batch)
        with torch.no_grad():
            dets, labels = (out[0].numpy() for out in network(batch))
        pairs = healthy.iou(dets[:, :4])
        if not healthy.steady(dets[:, 4], labels, pairs, score_min, iou_max):
            continue
        model = embed(
            folder, network, batch, "ssd", ["boxes", "labels"],
            {
                "labels": DEFECTS, "confidence_threshold": score_min, "iou_threshold": iou_max, "nms_execute": True,
                "resize_type": "fit_to_window_letterbox", "pad_value": 114, **COLOURS,
            },
        )
        said = model(shot[..., ::-1].copy())
        if 5 <= len(said.scores) <= 30 and len(set(said.label_names)) > 1 and len(said.scores) < (dets[:, 4] > score_min).sum():
            break
    else:
        raise SystemExit(f"{name}: no seed is steady")
    found = [
        {"class": l, "score": float(s), "box_px": [float(b[0]), float(b[1]), float(b[2] - b[0]), float(b[3] - b[1])]}
        for b, l, s in zip(said.bboxes, said.label_names, said.scores)
    ]
    # The same scores as PyTorch's: what Model API fed its graph is what the metadata says.
    assert max(min(abs(f["score"] - d[4]) for d in dets) for f in found) < 1e-4
    folder.add_picture(shot, found)
    folder.finish({"score_min": score_min, "iou_max": iou_max, "findings_max": 200}, seed, quirks, box_px=1.0)


def classification(name, saved=False, quirks=""):
    folder = Folder(name, "geti", PACKAGE, "classify")
    labels = [*DEFECTS, "good"]
    shots = [shot_of(610 + i) for i in range(6)]
    batch = torch.cat([tensor(s) for s in shots])
    network = network_of(lambda: small.Classifier(len(labels)), 0, batch)
    model = embed(
        folder, network, batch[:1], "Classification", ["logits"],
        {"labels": labels, "topk": 1, "output_raw_scores": True, "resize_type": "standard", **COLOURS},
        saved,
    )
    said = model(shots[0][..., ::-1].copy())
    with torch.no_grad():
        in_torch = network(batch[:1]).softmax(1)[0].numpy()
    probabilities = np.ravel(said.raw_scores).tolist()
    assert np.abs(in_torch - probabilities).max() < 1e-4, (in_torch, probabilities)
    top = said.top_labels[0]
    folder.add_picture(shots[0], [{"class": top.name, "score": float(top.confidence)}], probabilities=probabilities, classes=labels)
    folder.finish({}, 0, quirks)


def segmentation(name, quirks=""):
    folder = Folder(name, "geti", PACKAGE, "segment")
    shot = shot_of(620)
    batch = tensor(shot)
    for seed in range(100):
        network = network_of(lambda: small.UNet(len(DEFECTS) + 1), seed, batch)
        with torch.no_grad():
            best = network(batch)[0].argmax(0).numpy()
        if (np.bincount(best.ravel(), minlength=4) > 100).all():
            break
    model = embed(
        folder, network, batch, "Segmentation", ["logits"],
        {"labels": DEFECTS, "resize_type": "standard", "blur_strength": -1, "soft_threshold": 0.5, **COLOURS},
    )
    said = model(shot[..., ::-1].copy())
    assert (said.resultImage != best).sum() <= 2
    found, masks = [], []
    for index, label in enumerate(DEFECTS, 1):
        mask = said.resultImage == index
        rows, columns = np.where(mask)
        box = [columns.min(), rows.min(), columns.max() - columns.min() + 1, rows.max() - rows.min() + 1]
        soft = said.soft_prediction[..., index][mask]
        found.append({"class": label, "score": float(np.clip(soft.mean(), 0, None)), "box_px": [float(v) for v in box]})
        masks.append(mask)
    folder.add_picture(
        shot, found, masks, meaning="one finding a class, all its pixels; score is the mean logit, which Model API calls"
        " its soft prediction: do not compare it as a probability",
    )
    folder.finish({}, seed, quirks)


def anomaly(name, quirks=""):
    folder = Folder(name, "geti", PACKAGE, "anomaly")
    shot = shot_of(630)
    batch = torch.from_numpy(shot.astype(np.float32).transpose(2, 0, 1) / 255)[None]
    network = network_of(small.Heat, 3, batch)
    with torch.no_grad():
        heat = network(batch)[0, 0].numpy()
    threshold, pixel = float(np.quantile(heat, 0.97)), float(np.quantile(heat, 0.9))
    scale = 2.5 * float(heat.max())
    model = embed(
        folder, network, batch, "AnomalyDetection", ["anomaly_map"],
        {
            "labels": ["Normal", "Anomaly"], "image_threshold": round(threshold, 4), "pixel_threshold": round(pixel, 4),
            "normalization_scale": round(scale, 4), "task": "classification", "resize_type": "standard",
            "reverse_input_channels": True, "mean_values": [0.0, 0.0, 0.0], "scale_values": [255.0, 255.0, 255.0],
        },
    )
    said = model(shot[..., ::-1].copy())
    expected = np.clip((heat - round(pixel, 4)) / round(scale, 4) + 0.5, 0, 1)
    assert np.abs(said.anomaly_map / 255.0 - expected).max() < 0.003, "Model API fed its graph something else"
    np.save(folder.path / "picture.map.npy", expected.astype(np.float32))
    cv2.imwrite(str(folder.path / "picture.mask.png"), said.pred_mask * 255)
    folder.add_picture(
        shot, score=float(said.pred_score), label=said.pred_label, mask="picture.mask.png",
        mask_px=int(said.pred_mask.sum()), raw_score=float(heat.max()),
        map={"min": expected.min(), "max": expected.max(), "mean": expected.mean(), "first8": expected.ravel()[:8],
             "file": "picture.map.npy", "shape": [HEIGHT, WIDTH]},
    )
    folder.finish({"image_threshold": round(threshold, 4), "pixel_threshold": round(pixel, 4),
                   "normalization_scale": round(scale, 4), "operating_point": 0.5}, 3, quirks)


def exports():
    d = functools.partial
    return {
        "geti-detection": d(detection, quirks="boxes [1,N,5] px of the input, labels [1,N]; NMS outside, as nms_execute says; Model API rounds boxes to whole pixels"),
        "geti-classification": d(classification, quirks="logits; labels joined by spaces"),
        "geti-classification-saved": d(classification, saved=True, quirks="by Model.save: every parameter is there, and embedded_processing is True although its ONNX adapter put nothing into the graph; Model API itself cannot run the file again; right is: pre-process as the other keys say"),
        "geti-segmentation": d(segmentation, quirks="logits [1,C,h,w]; labels do not name class 0, background"),
        "geti-anomaly": d(anomaly, quirks="one output, a raw map; score = clamp((max - image_threshold) / normalization_scale + 0.5)"),
    }
