"""Anomalib: PaDiM on a small backbone, fitted by Anomalib's own engine on drawn good parts.

Pre- and post-processing are in the graph. The answer is what Anomalib's network says in PyTorch for the stored
pictures; the exported graph must say the same.
"""

import functools
import os
import pathlib
import tempfile

import cv2
import numpy as np
import onnxruntime
import torch
from anomalib.data import Folder as Pictures
from anomalib.deploy import ExportType
from anomalib.engine import Engine
from anomalib.models import Padim

import drawing
from folder import Folder, rounded

PACKAGE = "anomalib 2.7.0"
SIDE = 64

torch.set_num_threads(1)


def backbone():
    """Two seeded convolutions down to a quarter, in place of a trained ResNet."""
    torch.manual_seed(5)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 5, 2, 2), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 5, 2, 2), torch.nn.ReLU()
    )


def padim(name, quirks=""):
    folder = Folder(name, "anomalib", PACKAGE, "anomaly")
    root = pathlib.Path(tempfile.mkdtemp())
    os.chdir(root)
    for kind, defects, count in [("good", 0, 24), ("bad", 5, 8)]:
        (root / kind).mkdir()
        for i in range(count):
            # One ground for all, else each part would be its own anomaly.
            ground = drawing.good(500, SIDE, SIDE).astype(int)
            random = np.random.default_rng(1000 * defects + i)
            noise = random.normal(0, 8, ground.shape)
            picture = np.clip(ground + noise, 0, 255).astype(np.uint8)
            if defects:
                row, column, side = random.integers(8, 40), random.integers(8, 40), random.integers(4, 14)
                picture[row : row + side, column : column + 2 * side] = random.integers(0, 256, 3)
            drawing.save(root / kind / f"{i:02}.png", picture)
    torch.manual_seed(5)
    model = Padim(
        backbone=backbone(), layers=["1", "3"], pre_trained=False, n_features=6,
        pre_processor=Padim.configure_pre_processor((SIDE, SIDE)), visualizer=False,
    )
    pictures = Pictures(
        name="parts", root=root, normal_dir="good", abnormal_dir="bad", train_batch_size=4, eval_batch_size=4,
        num_workers=0, seed=5,
    )
    engine = Engine(default_root_dir=root, accelerator="cpu", devices=1, logger=False, enable_progress_bar=False)
    engine.fit(model=model, datamodule=pictures)
    made = model.to_onnx(export_root=root, input_size=(SIDE, SIDE))
    print("files beside it:", sorted(f.name for f in pathlib.Path(made).parent.iterdir()))
    folder.take_model(made)
    session = onnxruntime.InferenceSession(str(folder.model))
    names = [o.name for o in session.get_outputs()]
    model.eval()
    asked = [("good", "00"), ("bad", "00"), ("bad", "03")]
    for i, (kind, stem) in enumerate(asked):
        picture = cv2.imread(str(root / kind / f"{stem}.png"))[..., ::-1].copy()
        batch = torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float32) / 255)[None]
        with torch.no_grad():
            said = model(batch)
        given = dict(zip(names, session.run(None, {"input": batch.numpy()})))
        score, bad = float(said.pred_score), bool(said.pred_label)
        heat = said.anomaly_map.numpy().reshape(SIDE, SIDE)
        mask = said.pred_mask.numpy().reshape(SIDE, SIDE)
        assert abs(float(np.ravel(given["pred_score"])[0]) - score) < 1e-4
        assert np.abs(given["anomaly_map"].reshape(SIDE, SIDE) - heat).max() < 1e-3
        assert bool(np.ravel(given["pred_label"])[0]) == bad and abs(score - 0.5) > 0.01
        file = f"picture{f'-{i}' if i else ''}"
        np.save(folder.path / f"{file}.map.npy", heat.astype(np.float32))
        cv2.imwrite(str(folder.path / f"{file}.mask.png"), mask.astype(np.uint8) * 255)
        heat_says = {
            "min": heat.min(), "max": heat.max(), "mean": heat.mean(), "first8": heat.ravel()[:8],
            "file": f"{file}.map.npy", "shape": [SIDE, SIDE],
        }
        unsure = int((np.abs(heat - 0.5) < 1e-3).sum())
        folder.add_picture(
            picture, file=f"{file}.png", score=score, label="anomalous" if bad else "normal", map=heat_says,
            mask=f"{file}.mask.png", mask_px=int(mask.sum()), unsure_px=unsure,
        )
    post = model.post_processor
    inside = {k: float(getattr(post, k)) for k in ("image_threshold", "image_min", "image_max", "pixel_threshold", "pixel_min", "pixel_max")}
    folder.finish({"operating_point": 0.5, "pixel_operating_point": 0.5, "inside": rounded(inside)}, 5, quirks)


def exports():
    quirks = (
        "no metadata; mean, deviation, scaling of scores and both thresholds are in the graph: 0.5 is the operating point;"
        " pred_label and pred_mask are bool"
    )
    return {"anomalib-padim": functools.partial(padim, quirks=quirks)}
