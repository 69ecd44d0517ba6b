"""Trains a defect segmenter for one product of the line in a box, measures it on parts it has not seen, writes ONNX.

    python train.py train   --data TRAIN [TRAIN ...] --check CHECK --out ../washer/washer.onnx --epochs 3
    python train.py measure --data TEST --model ../washer/washer.onnx [--score-min 0.5 --area-min-px 32]

TRAIN, CHECK and TEST are folders written by `cargo run -p plumb-line --release --example dataset`; the README beside
this file has the exact commands. A run on one thread with the same folders and the same packages gives the same weights.
"""

import argparse
import json
import math
import random
import time
from pathlib import Path

import numpy as np
from PIL import Image

LABELS = ["background", "scratch", "dent", "stain", "missing", "extra", "wrong_size"]
CELL = 4  # px of the picture for one px of the model's map, each way
IGNORED = 255
MEAN, STD = 0.3, 0.25  # the card says the same


def load(folders):
    """Pictures [n,h,w,3] u8, maps [n,h/4,w/4] u8, and each part's truth."""
    pictures, maps, truths = [], [], []
    for folder in map(Path, folders):
        for line in (folder / "parts.jsonl").read_text().splitlines():
            truth = json.loads(line)
            pictures.append(np.asarray(Image.open(folder / f"{truth['name']}.png")))
            maps.append(coarse(np.asarray(Image.open(folder / f"{truth['name']}.mask.png"))))
            truths.append(truth)
    return np.stack(pictures), np.stack(maps), truths


def coarse(mask):
    """A cell is a defect if 3 of its 16 px are; with 1 or 2 it is nobody's business."""
    h, w = mask.shape
    cells = mask.reshape(h // CELL, CELL, w // CELL, CELL).transpose(0, 2, 1, 3).reshape(h // CELL, w // CELL, -1)
    counts = np.stack([(cells == c).sum(-1) for c in range(1, len(LABELS))], -1)
    best, most = counts.argmax(-1) + 1, counts.max(-1)
    return np.where(most >= 3, best, np.where(most > 0, IGNORED, 0)).astype(np.uint8)


def network():
    """A small U-Net whose map is a quarter of the picture each way. About 0.2 M weights, 0.2 G multiply-adds."""
    import torch
    from torch import nn

    def conv(i, o, k=3, stride=1, dilation=1):
        pad = dilation * (k // 2)
        return nn.Sequential(
            nn.Conv2d(i, o, k, stride, pad, dilation, bias=False), nn.BatchNorm2d(o, momentum=0.05), nn.ReLU(inplace=True)
        )

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fine = nn.Sequential(conv(3, 16, 3, 2), conv(16, 32, 3, 2))
            self.middle = nn.Sequential(conv(32, 48, 3, 2), conv(48, 48))
            # Dilated: whether a hole is in the middle shows only to someone who sees the whole part.
            self.coarse = nn.Sequential(conv(48, 64, 3, 2), conv(64, 64, 3, 1, 2), conv(64, 64, 3, 1, 4))
            self.middle_up = nn.Sequential(conv(112, 48, 1), conv(48, 48))
            self.fine_up = nn.Sequential(conv(80, 32, 1), conv(32, 32))
            self.head = nn.Conv2d(32, len(LABELS), 1)

        def forward(self, x):
            double = lambda t: nn.functional.interpolate(t, scale_factor=2, mode="nearest")
            fine = self.fine(x)
            middle = self.middle(fine)
            middle = self.middle_up(torch.cat([middle, double(self.coarse(middle))], 1))
            return self.head(self.fine_up(torch.cat([fine, double(middle)], 1)))

    return Net()


def train(a):
    import torch

    torch.manual_seed(a.seed), np.random.seed(a.seed), random.seed(a.seed)
    torch.set_num_threads(a.threads)
    torch.use_deterministic_algorithms(True)
    pictures, maps, _ = load(a.data)
    print(f"{len(pictures)} pictures of {pictures.shape[2]}x{pictures.shape[1]} px", flush=True)
    net = network()
    if a.start_from:
        net.load_state_dict(torch.load(a.start_from, weights_only=True))
    net = net.to(memory_format=torch.channels_last)
    print(f"{sum(p.numel() for p in net.parameters())} weights", flush=True)
    steps = int(a.epochs * len(pictures) // a.batch)
    optimiser = torch.optim.AdamW(net.parameters(), lr=a.rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, a.rate, total_steps=steps, pct_start=0.15)
    weights = torch.tensor([1.0] + [3.0] * (len(LABELS) - 1))
    order = np.concatenate([np.random.permutation(len(pictures)) for _ in range(math.ceil(a.epochs))])
    began, mean_loss = time.time(), 0.0
    net.train()
    for step in range(steps):
        chosen = order[step * a.batch : (step + 1) * a.batch]
        x, y = vary(pictures[chosen], maps[chosen])
        x = torch.from_numpy(x).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=a.bf16):
            out = net(x)
        loss = torch.nn.functional.cross_entropy(
            out.float(), torch.from_numpy(y.astype(np.int64)), weights, ignore_index=IGNORED
        )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step(), schedule.step()
        mean_loss = loss.item() if step == 0 else 0.98 * mean_loss + 0.02 * loss.item()
        if step % 25 == 0:
            print(f"step {step}/{steps} loss {mean_loss:.4f} {time.time() - began:.0f} s", flush=True)
    export(net.eval(), pictures.shape[1:3], a.out)
    print(f"trained in {time.time() - began:.0f} s", flush=True)
    if a.check:
        a.model, a.data = a.out, a.check
        measure(a)


def vary(x, y):
    """Moves each picture by whole cells, and its light and contrast a little."""
    n, h, w, _ = x.shape
    out = np.empty((n, 3, h, w), np.float32)
    maps = np.empty_like(y)
    for i in range(n):
        dy, dx = random.randint(-3, 3), random.randint(-4, 4)
        rows = np.clip(np.arange(h) + dy * CELL, 0, h - 1)
        columns = np.clip(np.arange(w) + dx * CELL, 0, w - 1)
        picture = x[i][rows][:, columns].astype(np.float32) / 255.0
        picture = picture * random.uniform(0.85, 1.15) + random.uniform(-0.02, 0.02)
        out[i] = ((picture.clip(0, 1) - MEAN) / STD).transpose(2, 0, 1)
        maps[i] = y[i][np.clip(np.arange(h // CELL) + dy, 0, h // CELL - 1)][
            :, np.clip(np.arange(w // CELL) + dx, 0, w // CELL - 1)
        ]
    return out, maps


def export(net, size, path):
    import onnx
    import torch

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), Path(path).with_suffix(".pt"))
    example = torch.zeros(1, 3, *size)
    net = net.to(memory_format=torch.contiguous_format)
    torch.onnx.export(
        net, (example,), path, input_names=["picture"], output_names=["scores"], opset_version=17, dynamo=False
    )
    onnx.checker.check_model(onnx.load(path))


def pieces(probability, score_min, area_min_px):
    """What the station's segmenter family finds: (class, mean score, px²) of each piece of one class."""
    import cv2

    best = probability.argmax(0)
    score = probability.max(0)
    found = []
    for c in range(1, len(LABELS)):
        where = ((best == c) & (score >= score_min)).astype(np.uint8)
        if where.any():
            count, numbers = cv2.connectedComponents(where, connectivity=8)
            for k in range(1, count):
                area = int((numbers == k).sum()) * CELL * CELL
                if area >= area_min_px:
                    found.append((LABELS[c], float(score[numbers == k].mean()), area))
    return found


def measure(a):
    """Part-level: a part is rejected if anything is found. Counts with 95 % Clopper-Pearson intervals."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(a.model), options, providers=["CPUExecutionProvider"])
    pictures, _, truths = load(a.data)
    probabilities, times = [], []
    for picture in pictures:
        x = ((picture.astype(np.float32) / 255.0 - MEAN) / STD).transpose(2, 0, 1)[None].copy()
        began = time.perf_counter()
        scores = session.run(None, {"picture": x})[0][0]
        times.append(time.perf_counter() - began)
        e = np.exp(scores - scores.max(0))
        probabilities.append((e / e.sum(0)).astype(np.float32))
    print(f"one picture, one thread: p50 {np.median(times) * 1e3:.2f} ms, p99 {np.quantile(times, 0.99) * 1e3:.2f} ms")
    rules = [(a.score_min, a.area_min_px)] if a.score_min else [(s, m) for s in (0.4, 0.5, 0.6, 0.7, 0.8) for m in (16, 32, 48, 64)]
    bad = sum(not t["good"] for t in truths)
    for score_min, area_min_px in rules:
        found = [pieces(p, score_min, area_min_px) for p in probabilities]
        escapes = [t for t, f in zip(truths, found) if not t["good"] and not f]
        false_rejects = [(t, f) for t, f in zip(truths, found) if t["good"] and f]
        print(
            f"score_min {score_min} area_min_px {area_min_px}: "
            f"escapes {shown(len(escapes), bad)}, false rejects {shown(len(false_rejects), len(truths) - bad)}"
        )
    if len(rules) == 1:
        for kind in LABELS[1:]:
            # Parts with this defect alone, so that nothing else gets them rejected.
            only = [(t, f) for t, f in zip(truths, found) if {d["kind"] for d in t["defects"]} == {kind}]
            missed = [t["name"] for t, f in only if not f]
            named = sum(any(c == kind for c, _, _ in f) for _, f in only)
            print(f"  {kind}: escapes {shown(len(missed), len(only))}; called by its name {named} of {len(only)}; {missed[:8]}")
        print("  false rejects:", [(t["name"], f) for t, f in false_rejects][:8])


def shown(k, n):
    low, high = clopper_pearson(k, n)
    return f"{k} of {n} = {100 * k / max(n, 1):.2f} % ({100 * low:.2f} to {100 * high:.2f} %)"


def clopper_pearson(k, n, level=0.95):
    """Exact interval of a share, by bisection on the binomial's tail."""
    tail = (1 - level) / 2

    def at_most(k, p):
        if p <= 0 or p >= 1:
            return 1.0 if p <= 0 else float(k >= n)
        logs = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * math.log(p) + (n - i) * math.log1p(-p) for i in range(k + 1)]
        return math.fsum(map(math.exp, logs))

    def solve(f):
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if f(middle) else (low, middle)
        return low

    if n == 0:
        return 0.0, 1.0
    low = 0.0 if k == 0 else solve(lambda p: 1 - at_most(k - 1, p) < tail)
    high = 1.0 if k == n else solve(lambda p: at_most(k, p) > tail)
    return low, high


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = parser.add_subparsers(required=True)
    t = sub.add_parser("train")
    t.set_defaults(run=train)
    t.add_argument("--data", nargs="+", required=True)
    t.add_argument("--check", nargs="+")
    t.add_argument("--start-from", help="weights (.pt) of an earlier run")
    t.add_argument("--out", required=True)
    t.add_argument("--epochs", type=float, default=3)
    t.add_argument("--batch", type=int, default=16)
    t.add_argument("--rate", type=float, default=4e-3)
    t.add_argument("--seed", type=int, default=1)
    t.add_argument("--threads", type=int, default=1)
    t.add_argument("--bf16", action="store_true")
    m = sub.add_parser("measure")
    m.set_defaults(run=measure)
    m.add_argument("--data", nargs="+", required=True)
    m.add_argument("--model", required=True)
    for p in (t, m):
        p.add_argument("--score-min", type=float)
        p.add_argument("--area-min-px", type=float, default=32)
    arguments = parser.parse_args()
    arguments.run(arguments)
