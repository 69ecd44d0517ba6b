"""RF-DETR: detection and segmentation, from its own classes with a narrow DINOv2 backbone.

The answer is RF-DETR's `PostProcess` over the exported graph's outputs; its network in PyTorch must agree.
"""

import functools
import os
import tempfile

import numpy as np
import onnx
import onnxruntime
import onnxslim
import torch
from rfdetr import RFDETRNano, RFDETRSegNano
from rfdetr.models import _defaults
from rfdetr.models.backbone import dinov2
from rfdetr.models.postprocess import PostProcess

import drawing
import healthy
from folder import Folder

PACKAGE = "rfdetr 1.11.2"
DEFECTS = ["scratch", "dent", "stain"]
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
SIDE, PATCH, QUERIES = 64, 8, 20
SETTINGS = {"score_min": 0.25, "iou_max": 1.0, "findings_max": QUERIES}

torch.set_num_threads(1)
WIDE = dinov2.get_config


def narrow(size, use_registers):
    """DINOv2's configuration, two layers of 16 channels."""
    config = WIDE(size, use_registers)
    return {**config, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2, "mlp_ratio": 1}


def tensor(picture):
    return torch.from_numpy(((picture / 255 - MEAN) / STD).astype(np.float32).transpose(2, 0, 1))[None]


def network_of(kind, seed):
    torch.manual_seed(seed)
    dinov2.get_config, dinov2.size_to_width["small"] = narrow, 16
    defaults = _defaults.MODEL_DEFAULTS
    object.__setattr__(defaults, "dim_feedforward", 32)
    return kind(
        num_classes=len(DEFECTS), pretrain_weights=None, device="cpu", hidden_dim=16, sa_nheads=2, ca_nheads=2,
        dec_layers=2, patch_size=PATCH, num_windows=2, resolution=SIDE, num_queries=QUERIES, num_select=QUERIES,
        out_feature_indexes=[1, 2], positional_encoding_size=SIDE // PATCH, group_detr=1,
    )


def lively(network, batch):
    network.eval()
    background = torch.tensor([0.0] * len(DEFECTS) + [-8.0])  # as after training: the last slot never wins
    layers = [
        (network.transformer.enc_out_class_embed[0], -2.0 + background, 1.5),
        (network.transformer.enc_out_bbox_embed[0].layers[-1], 0.0, 1.0),
    ]
    layers += [(network.class_embed, -1.8 + background, 1.6), (network.bbox_embed.layers[-1], 0.0, 0.5)]
    for layer in layers:
        healthy.spread(network, batch, [layer])


def findings(outputs):
    answer = PostProcess(num_select=QUERIES)(outputs, torch.tensor([[SIDE, SIDE]]))[0]
    found, masks = [], []
    for i, (score, label, box) in enumerate(zip(answer["scores"], answer["labels"], answer["boxes"].tolist())):
        if score > 0.25:
            found.append({"class": DEFECTS[int(label)], "score": float(score), "box_px": [*box[:2], box[2] - box[0], box[3] - box[1]]})
            if "masks" in answer:
                masks.append(answer["masks"][i, 0].numpy())
    return found, masks or None


def build(name, kind, task, quirks=""):
    folder = Folder(name, "rf-detr", PACKAGE, task)
    shot = drawing.draw(307, SIDE, SIDE, defects=9)
    batch = tensor(shot)
    for seed in range(200):
        model = network_of(kind, seed)
        network = model.model.model
        lively(network, batch)
        with torch.no_grad():
            out = network(batch)
        found, masks = findings({k: v for k, v in out.items() if k in ("pred_logits", "pred_boxes", "pred_masks")})
        scores = np.sort(out["pred_logits"].sigmoid().numpy().ravel())[::-1]
        steady = healthy.steady(scores, None, None, 0.25, 0.45) and scores[QUERIES - 1] - scores[QUERIES] > 1e-3
        kinds = {f["class"] for f in found}
        filled = masks is None or all(m.sum() > 20 for m in masks)
        if steady and filled and 5 <= len(found) < QUERIES and len(kinds) > 1:
            break
    else:
        raise SystemExit(f"{name}: no seed is steady")
    made = model.export(output_dir=tempfile.mkdtemp(), verbose=False, shape=(SIDE, SIDE), notes={"project": "exports"})
    # Slimmed as RF-DETR's guide proposes: most of the file is arithmetic on shapes otherwise.
    onnx.save(onnxslim.slim(str(made)), str(made))
    folder.take_model(made)
    session = onnxruntime.InferenceSession(str(folder.model))
    names = [o.name for o in session.get_outputs()]
    given = dict(zip(names, map(torch.from_numpy, session.run(None, {"input": batch.numpy()}))))
    outputs = {"pred_logits": given["labels"], "pred_boxes": given["dets"]}
    if "masks" in given:
        outputs["pred_masks"] = given["masks"]
    again, masks = findings(outputs)
    assert len(again) == len(found)
    for a, b in zip(again, found):
        assert a["class"] == b["class"] and abs(a["score"] - b["score"]) < 1e-4, (a, b)
    folder.add_picture(shot, again, masks)
    folder.finish(SETTINGS, seed, quirks)


def exports():
    d = functools.partial
    said = "labels has one slot more than classes, counted in the choice of the best Q; normalised by mean and deviation"
    return {
        "rfdetr-detect": d(build, kind=RFDETRNano, task="detect", quirks=said),
        "rfdetr-segment": d(build, kind=RFDETRSegNano, task="segment", quirks=said + "; masks are logits, a quarter wide"),
    }
