"""torchvision: its detectors on a small backbone, a mask detector, a classifier and a segmenter.

Its detectors carry pre-processing (mean, deviation, resize) and post-processing (NMS) inside the graph. The answer is
what the network says in PyTorch; the exported graph must say the same.
"""

import functools
import os
import tempfile

import numpy as np
import onnxruntime
import torch
import torchvision
from torchvision.models import detection, segmentation, shufflenetv2
from torchvision.models.detection import anchor_utils, faster_rcnn, mask_rcnn

import drawing
import healthy
from folder import Folder

PACKAGE = "torchvision 0.29.2"
DEFECTS = ["scratch", "dent", "stain"]
LABELS = ["__background__", *DEFECTS]
SETTINGS = {"score_min": 0.25, "iou_max": 0.5, "findings_max": 100}
HEIGHT, WIDTH = 64, 96
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

torch.set_num_threads(1)


def tensor(picture, normalised=False):
    values = picture / 255
    return torch.from_numpy(((values - MEAN) / STD if normalised else values).astype(np.float32).transpose(2, 0, 1))


def backbone(channels=16):
    """Four convolutions down to an eighth, in place of a ResNet with its pyramid."""

    def step(given, made, stride):
        convolution = torch.nn.Conv2d(given, made, 3, stride, 1, bias=False)
        return torch.nn.Sequential(convolution, torch.nn.BatchNorm2d(made), torch.nn.ReLU())

    net = torch.nn.Sequential(step(3, 8, 2), step(8, 16, 2), step(16, 16, 2), step(16, channels, 1))
    net.out_channels = channels
    return net


def anchors():
    return anchor_utils.AnchorGenerator(sizes=((16, 32),), aspect_ratios=((0.5, 1.0, 2.0),))


SIZES = dict(min_size=HEIGHT, max_size=WIDTH, box_detections_per_img=100)


def two_stage(kind, proposals=40, **more):
    pool = torchvision.ops.MultiScaleRoIAlign(featmap_names=["0"], output_size=3, sampling_ratio=2)
    return kind(
        backbone(), rpn_anchor_generator=anchors(), box_roi_pool=pool, box_head=faster_rcnn.TwoMLPHead(16 * 9, 32),
        box_predictor=faster_rcnn.FastRCNNPredictor(32, len(LABELS)), rpn_pre_nms_top_n_test=100,
        rpn_post_nms_top_n_test=proposals, **SIZES, **more,
    )


def faster():
    net = two_stage(detection.FasterRCNN)
    head = net.roi_heads.box_predictor
    return net, [(net.rpn.head.cls_logits, 0.0, 2.0), (net.rpn.head.bbox_pred, 0.0, 0.3), (head.cls_score, 0.0, 2.0), (head.bbox_pred, 0.0, 1.5)]


def masked():
    net = two_stage(
        detection.MaskRCNN,
        proposals=12,
        mask_roi_pool=torchvision.ops.MultiScaleRoIAlign(featmap_names=["0"], output_size=7, sampling_ratio=2),
        mask_head=mask_rcnn.MaskRCNNHeads(16, (16,), 1),
        mask_predictor=mask_rcnn.MaskRCNNPredictor(16, 16, len(LABELS)),
    )
    head = net.roi_heads.box_predictor
    layers = [(net.rpn.head.cls_logits, 0.0, 2.0), (net.rpn.head.bbox_pred, 0.0, 0.3)]
    layers += [(head.cls_score, 0.0, 2.0), (head.bbox_pred, 0.0, 1.5)]
    return net, layers + [(net.roi_heads.mask_predictor.mask_fcn_logits, 0.3, 2.0)]


def retina():
    sizes = {k.replace("box_", ""): v for k, v in SIZES.items()}
    net = detection.RetinaNet(backbone(), len(LABELS), anchor_generator=anchors(), nms_thresh=0.5, **sizes)
    background = torch.tensor([-8.0, 0.0, 0.0, 0.0] * 6)  # as after training: slot 0 never wins
    head = net.head
    for layer in head.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)  # its own start is so quiet that nothing would reach the end
    return net, [
        (head.classification_head.cls_logits, -4.5 + background, 1.6),
        (head.regression_head.bbox_reg, 0.0, 0.3),
    ]


def detector(name, network_of, batched, task="detect", quirks=""):
    """`batched`: whether the export takes `[1,3,h,w]` or, as in torchvision's documentation, `[3,h,w]`."""
    folder = Folder(name, "torchvision", PACKAGE, task)
    os.chdir(tempfile.mkdtemp())
    shot = drawing.draw(407, WIDTH, HEIGHT, defects=9)
    batch = tensor(shot)[None]
    for seed in range(300):
        torch.manual_seed(seed)
        network, layers = network_of()
        healthy.wake(network.backbone, (batch - torch.tensor(MEAN).view(1, 3, 1, 1).float()) / torch.tensor(STD).view(1, 3, 1, 1).float())
        network.eval()
        for layer in layers:
            healthy.spread(network, batch, [layer])
        with torch.no_grad():
            said = network(batch)[0]
        scores, boxes = said["scores"].numpy(), said["boxes"].numpy()
        kept = scores > 0.25
        filled = "masks" not in said or all((m > 0.5).sum() > 5 for m in said["masks"][kept])
        steady = healthy.steady(scores, None, None, 0.25, 0.5)
        most = 24 if "masks" in said else 60
        if steady and filled and 5 <= kept.sum() <= most and len(set(said["labels"][kept].tolist())) > 1:
            break
    else:
        raise SystemExit(f"{name}: no seed is steady")
    names = ["boxes", "labels", "scores", "masks"] if "masks" in said else ["boxes", "labels", "scores"]
    if not batched:
        torch.onnx.export(network, ([batch[0]],), "model.onnx", opset_version=17, dynamo=False, input_names=["images"], output_names=names, dynamic_axes={n: {0: "found"} for n in names})
    else:
        names = None
        torch.onnx.export(network, (batch,), "model.onnx", opset_version=17, dynamo=False)
    folder.take_model("model.onnx")
    session = onnxruntime.InferenceSession(str(folder.model))
    entry = session.get_inputs()[0]
    given = session.run(None, {entry.name: (batch if batched else batch[0]).numpy()})
    for key, values in said.items():
        place = list(said).index(key) if names is None else names.index(key)
        limit = 0.02 if key == "boxes" else 1e-3
        assert given[place].shape == tuple(values.shape), (key, given[place].shape, values.shape)
        assert np.abs(given[place].astype(float) - values.numpy()).max() < limit, key
    found = [
        {"class": LABELS[int(l)], "score": float(s), "box_px": [b[0], b[1], b[2] - b[0], b[3] - b[1]]}
        for b, l, s in zip(boxes[kept].tolist(), said["labels"][kept], scores[kept])
    ]
    masks = [m[0].numpy() > 0.5 for m in said["masks"][kept]] if "masks" in said else None
    folder.add_picture(shot, found, masks)
    folder.finish(SETTINGS, seed, quirks)


def classifier(name, quirks=""):
    folder = Folder(name, "torchvision", PACKAGE, "classify")
    labels, side = [*DEFECTS, "good"], 64
    os.chdir(tempfile.mkdtemp())
    torch.manual_seed(0)
    net = shufflenetv2.ShuffleNetV2([1, 1, 1], [8, 16, 16, 32, 64], num_classes=len(labels))
    pictures = [drawing.draw(s, side, side) for s in range(410, 418)]
    batch = torch.stack([tensor(p, True) for p in pictures])
    healthy.wake(net, batch)
    healthy.spread(net, batch, [(net.fc, 0.0, 1.5)])
    torch.onnx.export(net, (batch[:1],), "model.onnx", opset_version=17, dynamo=False, input_names=["input"], output_names=["logits"], dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}})
    folder.take_model("model.onnx")
    session = onnxruntime.InferenceSession(str(folder.model))
    for i in range(2):
        with torch.no_grad():
            said = net(batch[i : i + 1]).softmax(1)[0].numpy()
        logits = session.run(None, {"input": batch[i : i + 1].numpy()})[0]
        assert np.abs(torch.from_numpy(logits).softmax(1)[0].numpy() - said).max() < 1e-4
        best = int(said.argmax())
        found = [{"class": labels[best], "score": float(said[best])}]
        folder.add_picture(pictures[i], found, file=f"picture{'-1' * i}.png", probabilities=said.tolist(), classes=labels)
    folder.finish({}, 0, quirks)


def segmenter(name, quirks=""):
    """LR-ASPP: logits of every pixel, class 0 is background."""
    folder = Folder(name, "torchvision", PACKAGE, "segment")
    os.chdir(tempfile.mkdtemp())
    shot = drawing.draw(420, WIDTH, HEIGHT, defects=9)
    batch = tensor(shot, True)[None]
    for seed in range(200):
        torch.manual_seed(seed)
        whole = backbone()
        body = torchvision.models._utils.IntermediateLayerGetter(whole, {"1": "low", "3": "high"})
        net = segmentation.LRASPP(body, 16, 16, len(LABELS), inter_channels=16)
        healthy.wake(net, batch)
        head = net.classifier
        healthy.spread(net, batch, [(head.low_classifier, 0.0, 1.5), (head.high_classifier, 0.0, 1.5)])
        with torch.no_grad():
            logits = net(batch)["out"][0]
        areas = np.bincount(logits.argmax(0).numpy().ravel(), minlength=len(LABELS))
        if (areas > 100).all():
            break

    class Out(torch.nn.Module):
        def forward(self, input):
            return net(input)["out"]

    wrapped = Out()
    wrapped.net = net
    torch.onnx.export(wrapped.eval(), (batch,), "model.onnx", opset_version=17, dynamo=False, input_names=["input"], output_names=["out"])
    folder.take_model("model.onnx")
    given = onnxruntime.InferenceSession(str(folder.model)).run(None, {"input": batch.numpy()})[0][0]
    assert np.abs(given - logits.numpy()).max() < 1e-3
    say_areas(folder, shot, given)
    folder.finish({}, seed, quirks)


def say_areas(folder, shot, logits, labels=LABELS, background=0):
    """The answer of a plain segmenter: for each class the pixels whose best class it is, and its mean probability there."""
    best = logits.argmax(0)
    probability = torch.from_numpy(logits).softmax(0).numpy()
    found, masks = [], []
    for index, label in enumerate(labels):
        mask = best == index
        if index == background or not mask.any():
            continue
        rows, columns = np.where(mask)
        box = [columns.min(), rows.min(), columns.max() - columns.min() + 1, rows.max() - rows.min() + 1]
        score = probability[index][mask]
        found.append({"class": label, "score": float(score.mean()), "score_max": float(score.max()), "box_px": [float(v) for v in box]})
        masks.append(mask)
    gap = np.sort(logits, 0)
    unsure = int((gap[-1] - gap[-2] < 1e-3).sum())
    folder.add_picture(shot, found, masks, meaning="one finding a class: all its pixels", unsure_px=unsure)


def exports():
    d = functools.partial
    inside = "labels count from 1, 0 is background; pixels 0..1, mean and deviation are in the graph; NMS is in the graph"
    return {
        "torchvision-fasterrcnn": d(detector, network_of=faster, batched=False, quirks=inside + "; input [3,h,w] without a batch axis"),
        "torchvision-retinanet": d(detector, network_of=retina, batched=True, quirks=inside + "; outputs boxes, scores, labels in this order and named by numbers"),
        "torchvision-maskrcnn": d(detector, network_of=masked, batched=False, task="segment", quirks=inside + "; masks [n,1,h,w] are probabilities, 0.5 and up is inside"),
        "torchvision-shufflenet": d(classifier, quirks="logits, no metadata, no labels; mean and deviation of ImageNet outside; batch is dynamic"),
        "torchvision-lraspp": d(segmenter, quirks="logits [1,C,h,w] of every pixel; mean and deviation of ImageNet outside"),
    }
