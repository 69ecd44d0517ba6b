"""MMDeploy: the side files are written by MMDeploy from RTMDet's configuration; the graph is a small stand-in.

MMCV's compiled operators do not build here, so RTMDet itself cannot run: the graph has the inputs and outputs that
MMDeploy gives it (`dets [1,N,5]`, `labels [1,N]`), and its answer is those rows above the threshold.
"""

import json
import pathlib
import shutil
import sys
import tempfile
import types

import numpy as np
import onnxruntime
import torch

# MMCV's operators are asked for by name at import and never called.
absent = types.ModuleType("mmcv._ext")
absent.__getattr__ = lambda name: None if name.startswith("__") else (lambda *_: sys.exit(f"mmcv operator {name}"))
sys.modules["mmcv._ext"] = absent

import mmdet  # noqa: E402
from mmdeploy.backend.sdk.export_info import export2SDK  # noqa: E402
from mmengine import Config  # noqa: E402

import drawing  # noqa: E402
import healthy  # noqa: E402
import small  # noqa: E402
from folder import Folder  # noqa: E402

PACKAGE = "mmdeploy 1.3.1"
DEFECTS = ["scratch", "dent", "stain"]
HEIGHT, WIDTH = 64, 96
MEAN, STD = np.array([103.53, 116.28, 123.675]), np.array([57.375, 57.12, 58.395])  # RTMDet: B, G, R
DEPLOY = dict(
    onnx_config=dict(
        type="onnx", export_params=True, keep_initializers_as_inputs=False, opset_version=11, save_file="end2end.onnx",
        input_names=["input"], output_names=["dets", "labels"], input_shape=[WIDTH, HEIGHT], optimize=True,
    ),
    codebase_config=dict(
        type="mmdet", task="ObjectDetection", model_type="end2end",
        post_processing=dict(
            score_threshold=0.05, confidence_threshold=0.005, iou_threshold=0.5, max_output_boxes_per_class=200,
            pre_top_k=5000, keep_top_k=100, background_label_id=-1,
        ),
    ),
    backend_config=dict(type="onnxruntime"),
)


class EndToEnd(torch.nn.Module):
    """The stand-in's rows after NMS of each class, as MMDeploy's graphs end."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, input):
        from torchvision.ops import nms

        dets, labels = self.network(input)
        shift = labels[0].float()[:, None] * 4096
        kept = nms(dets[0, :, :4] + shift, dets[0, :, 4], 0.5)
        return dets[:, kept], labels[:, kept]


def rtmdet(name):
    folder = Folder(name, "mmdeploy", PACKAGE, "detect")
    work = pathlib.Path(tempfile.mkdtemp())
    shot = drawing.draw(1001, WIDTH, HEIGHT, defects=9)
    batch = torch.from_numpy(((shot[..., ::-1] - MEAN) / STD).astype(np.float32).transpose(2, 0, 1))[None]
    for seed in range(300):
        torch.manual_seed(seed)
        network = small.Detector(len(DEFECTS))
        healthy.wake(network, batch)
        for layer in network.last():
            healthy.spread(network, batch, [layer])
        whole = EndToEnd(network.eval()).eval()
        with torch.no_grad():
            (raw,), (raw_labels,) = (o.numpy() for o in network(batch))
            (dets,), (labels,) = (o.numpy() for o in whole(batch))
        steady = healthy.steady(raw[:, 4], raw_labels, healthy.iou(raw[:, :4]), 0.3, 0.5)
        kept = dets[:, 4] > 0.3
        if steady and 5 <= kept.sum() <= 30 and len(set(labels[kept].tolist())) > 1 and len(dets) < len(raw):
            break
    else:
        raise SystemExit(f"{name}: no seed is steady")
    made = work / "end2end.onnx"
    torch.onnx.export(
        whole, (batch,), str(made), opset_version=11, dynamo=False, input_names=["input"],
        output_names=["dets", "labels"], dynamic_axes={"dets": {1: "num_dets"}, "labels": {1: "num_dets"}},
    )
    folder.take_model(made)
    shutil.copy(folder.model, folder.path / "end2end.onnx")  # the name that deploy.json knows it by

    configs = pathlib.Path(mmdet.__file__).parent / ".mim/configs"
    model = Config.fromfile(str(configs / "rtmdet/rtmdet_tiny_8xb32-300e_coco.py"))
    for step in model.test_pipeline:  # the size that the stand-in takes
        if step["type"] in ("Resize", "Pad"):
            step["scale" if step["type"] == "Resize" else "size"] = (WIDTH, HEIGHT)
    model.test_dataloader.dataset.pipeline = model.test_pipeline
    model.test_dataloader.dataset.metainfo = dict(classes=tuple(DEFECTS))
    export2SDK(Config(DEPLOY), model, str(work), pth="rtmdet_tiny.pth", device="cpu")
    for file in ("deploy.json", "pipeline.json", "detail.json"):
        text = (work / file).read_text().replace(str(configs.parent.parent) + "/", "")
        text = text.replace(str(configs) + "/", "").replace(f"{work}/", "")
        told = json.loads(text)
        for step in told.get("pipeline", {}).get("tasks", [{}])[0].get("transforms", []):
            if "meta_keys" in step:
                step["meta_keys"].sort()  # written from a set, in another order each time
        (folder.path / file).write_text(json.dumps(told, indent=4) + "\n")

    given, given_labels = onnxruntime.InferenceSession(str(folder.model)).run(None, {"input": batch.numpy()})
    assert np.abs(given[0] - dets).max() < 0.05 and (given_labels[0] == labels).all()
    found = [
        {"class": DEFECTS[l], "score": float(d[4]), "box_px": [float(v) for v in (d[0], d[1], d[2] - d[0], d[3] - d[1])]}
        for d, l in zip(given[0], given_labels[0])
        if d[4] > 0.3
    ]
    folder.add_picture(shot, found)
    folder.finish(
        {"score_min": 0.3, "iou_max": 0.5, "findings_max": 100}, seed,
        "dets [1,N,5] and labels [1,N], NMS inside; B, G, R with mean and deviation in pipeline.json; deploy.json"
        " calls the model end2end.onnx, so it is here under both names; the graph is a stand-in, the side files are MMDeploy's own",
    )


def exports():
    return {"mmdeploy-rtmdet": rtmdet}
