"""How well a memory of good parts tells bad parts: the memories of `plumb teach` and others, on the same features.

    accuracy.py [--taught=5,10,25,50] FOLDER[,FOLDER...] ...

Each argument is one product. A folder holds `labels.csv` (file, label, is_defect[, mask]), its files named from the folder
above, or is one that plumb-line's example `dataset` wrote; several folders with commas are several lines of one product,
each taught by itself. A folder with `+cut` behind it has the part cut out of each picture first.

The memories are those of `models/teach`, written again in numpy on the features of `models/zoo/texture-bank`:

    plain      a channel weighs 1 / its deviation over all cells; no copies; worst 1 % of the cells
    within     1 / its deviation among good parts at one place; four turned and shifted copies of each good part; worst 0.5 %
               of the cells in place, worst 3 % anywhere

each `in place` (a patch as at its own place, give or take a cell) or `anywhere` (1 000 patches, greedy coreset).
`plain` is what `plumb teach` does. One JSON line a figure:
AUROC with a bootstrap over parts (95 %), AU-PRO up to a false-positive rate of 0.3 where there are masks.
"""

import csv
import json
import pathlib
import sys

import cv2
import numpy as np
import onnxruntime

BANK = pathlib.Path(__file__).parents[2] / "models/zoo/texture-bank/texture-bank.onnx"
TAUGHT_MAX = 50
COPIES = ((2, 0, 1.5), (-2, 0, -1.5), (0, 2, 3), (0, -2, -3))  # px right, px down, degrees
FOLDS, ROUNDS, SEED = 5, 1000, 1
SHARE = {("plain", "in place"): 0.01, ("plain", "anywhere"): 0.01, ("within", "in place"): 0.005, ("within", "anywhere"): 0.03}
CUT_PX, OUTSIDE = 576, 60

cv2.setNumThreads(1)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
bank = onnxruntime.InferenceSession(BANK, options)


def cut(picture, mask):
    """The convex hull of what is yellower than the tray, in the middle of a square; pieces that touch the lower edge are not of the part."""
    yellow = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[:, :, 2], (0, 0), 2)
    _, part = cv2.threshold(yellow, 0, 255, cv2.THRESH_OTSU)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(part)
    least = 0.05 * stats[1:, cv2.CC_STAT_AREA].max()
    kept = [i for i in range(1, count)
            if stats[i, cv2.CC_STAT_AREA] > least and stats[i, 1] + stats[i, 3] < len(picture) - 2]
    hull = cv2.convexHull(np.argwhere(np.isin(pieces, kept))[:, ::-1].astype(np.int32))
    inside = np.zeros(part.shape, np.uint8)
    cv2.fillConvexPoly(inside, hull, 1)
    x, y, width, height = cv2.boundingRect(hull)
    width, height = min(width, CUT_PX), min(height, CUT_PX)
    left, top = (CUT_PX - width) // 2, (CUT_PX - height) // 2

    def placed(values, outside):
        square = np.full((CUT_PX, CUT_PX) + values.shape[2:], outside, np.uint8)
        square[top:top + height, left:left + width] = values[y:y + height, x:x + width]
        return square

    alone = np.where(inside[:, :, None] > 0, picture, OUTSIDE)
    return placed(alone, OUTSIDE), None if mask is None else placed(mask, 0)


def half(picture):
    height, width = picture.shape[:2]
    return cv2.resize(picture, (-(-width // 2), -(-height // 2)), interpolation=cv2.INTER_AREA)


def copies(picture):
    height, width = picture.shape[:2]
    for right, down, degrees in COPIES:
        move = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        move[:, 2] += right, down
        yield cv2.warpAffine(picture, move, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def features(picture):
    """[rows, columns, 51]"""
    given = np.ascontiguousarray((picture.astype(np.float32) / 255).transpose(2, 0, 1)[None])
    return bank.run(None, {"picture": given})[0][0].transpose(1, 2, 0)


class Line:
    """The pictures of one folder: half size, their features and those of copies, which are bad, and where."""

    def __init__(self, name):
        folder, _, alone = name.partition("+")
        folder = pathlib.Path(folder)
        self.pictures, self.masks, bad = [], [], []
        for path, is_bad, mask in self.listed(folder):
            picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
            if mask is not None:
                mask = (cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) > 0).astype(np.uint8)
            if alone:
                picture, mask = cut(picture, mask)
            self.pictures.append(half(picture))
            self.masks.append(None if mask is None else half(mask * 255) > 127)
            bad.append(is_bad)
        self.bad = np.array(bad, bool)
        self.seen = np.stack([features(picture) for picture in self.pictures])
        self.copied = {i: np.stack([features(copy) for copy in copies(self.pictures[i])]) for i in np.flatnonzero(~self.bad)}

    @staticmethod
    def listed(folder):
        if (folder / "labels.csv").exists():
            for row in csv.DictReader((folder / "labels.csv").open()):
                yield folder.parent / row["file"], row["is_defect"] == "1", row.get("mask") and folder.parent / row["mask"] or None
        else:
            for part in map(json.loads, (folder / "parts.jsonl").read_text().splitlines()):
                yield folder / f"{part['name']}.png", not part["good"], folder / f"{part['name']}.mask.png"


def weighed(how, good):
    """Mean and weight of each channel, from the good parts themselves."""
    flat = good.reshape(-1, good.shape[-1])
    total = flat.std(0)
    if how == "plain":
        return flat.mean(0), 1 / np.maximum(total, np.median(total) / 1000)
    within = np.sqrt(((good - good.mean(0)) ** 2).mean((0, 1, 2)))
    return flat.mean(0), 1 / np.maximum(within, 0.05 * total + 1e-6)


def in_place(good, seen):
    """Distance of each cell of `seen` to the nearest good one of its place or of the eight beside it."""
    _, rows, columns, _ = good.shape
    good2, nearest = (good**2).sum(-1), np.full(seen.shape[:3], np.inf, np.float32)

    def both(length, by):
        return slice(max(0, by), length + min(0, by)), slice(max(0, -by), length + min(0, -by))

    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            (y, to_y), (x, to_x) = both(rows, down), both(columns, right)
            inner = seen[:, to_y, to_x].transpose(1, 2, 0, 3) @ good[:, y, x].transpose(1, 2, 3, 0)
            far = (good2[:, y, x].transpose(1, 2, 0)[:, :, None] - 2 * inner).min(-1).transpose(2, 0, 1)
            nearest[:, to_y, to_x] = np.minimum(nearest[:, to_y, to_x], far)
    return np.sqrt(np.maximum(nearest + (seen**2).sum(-1), 0))


def anywhere(good, seen, patches=1000, drawn=20000, directions=24):
    rng = np.random.default_rng(SEED)
    every = good.reshape(-1, good.shape[-1])
    if len(every) > drawn:
        every = every[rng.choice(len(every), drawn, replace=False)]
    few = every @ rng.standard_normal((every.shape[1], directions)).astype(np.float32)
    chosen, nearest = [0], np.full(len(few), np.inf, np.float32)
    for _ in range(min(patches, len(few)) - 1):
        nearest = np.minimum(nearest, ((few - few[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(nearest.argmax()))
    kept = every[chosen]
    kept2 = (kept**2).sum(1)
    maps = []
    for one in seen:
        cells = one.reshape(-1, one.shape[-1])
        maps.append(np.sqrt(np.maximum((kept2 - 2 * cells @ kept.T).min(1) + (cells**2).sum(1), 0)).reshape(one.shape[:2]))
    return np.stack(maps)


MEMORIES = {"in place": in_place, "anywhere": anywhere}


def score(maps, share):
    cells = np.sort(maps.reshape(len(maps), -1), 1)
    return cells[:, -max(1, round(share * cells.shape[1])):].mean(1)


def maps(line, taught, tested, how, where):
    mean, weight = weighed(how, line.seen[taught])
    good = line.seen[taught]
    if how == "within":
        good = np.concatenate([good] + [line.copied[i] for i in taught])
    scaled = lambda values: ((values - mean) * weight).astype(np.float32)
    return MEMORIES[where](scaled(good), scaled(line.seen[tested]))


def unseen(line, taught, how, where, share):
    """The score of each taught part under the memory of the others."""
    scores = np.zeros(len(taught))
    for fold in range(FOLDS):
        out = np.arange(len(taught)) % FOLDS == fold
        scores[out] = score(maps(line, taught[~out], taught[out], how, where), share)
    return scores


def trials(lines, count):
    """(line, taught, tested good): parts that are tested were never taught. Many good parts: those after the 50th are tested.
    Few: each is tested once, in turn."""
    for at, line in enumerate(lines):
        good = np.random.default_rng(SEED).permutation(np.flatnonzero(~line.bad))
        if len(good) >= TAUGHT_MAX + 20:
            yield at, line, good[:count], good[TAUGHT_MAX:]
        elif count < len(good):
            apart = min(4, len(good) - count)
            for first in range(0, len(good), apart):
                out = good[first:first + apart]
                yield at, line, np.array([i for i in good if i not in out])[:count], out


def auroc(found, draw=None):
    """Of (line, good ids, good scores, bad ids, bad scores): the share of pairs in order, parts drawn as often as `draw` says."""
    right = pairs = 0.0
    for line, good, good_scores, bad, bad_scores in found:
        above = (bad_scores[None] > good_scores[:, None]) + 0.5 * (bad_scores[None] == good_scores[:, None])
        weight = np.ones(above.shape) if draw is None else np.outer(draw[line][good], draw[line][bad])
        right, pairs = right + (above * weight).sum(), pairs + weight.sum()
    return right / max(pairs, 1e-9)


def draws(lines):
    rng = np.random.default_rng(SEED)
    for _ in range(ROUNDS):
        drawn = []
        for line in lines:
            times = np.zeros(len(line.bad))
            for of in (np.flatnonzero(line.bad), np.flatnonzero(~line.bad)):
                np.add.at(times, rng.choice(of, len(of)), 1)
            drawn.append(times)
        yield drawn


def au_pro(anomaly_maps, masks, most=0.3):
    """Mean overlap with each defect, over false-positive rates up to `most` (Bergmann et al. 2021)."""
    clean, regions = [], []
    for one, mask in zip(anomaly_maps, masks):
        large = cv2.resize(one, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
        clean.append(large[~mask])
        count, pieces = cv2.connectedComponents(mask.astype(np.uint8))
        regions += [np.sort(large[pieces == i]) for i in range(1, count)]
    rates = np.linspace(0, most, 301)[1:]
    at = np.quantile(np.concatenate(clean), 1 - rates)
    overlap = np.mean([1 - np.searchsorted(region, at) / len(region) for region in regions], axis=0)
    return float(np.trapezoid(np.append(0, overlap), np.append(0, rates)) / most)


def floors(line, taught, tested):
    """What a judge would score who knows next to nothing."""
    light = np.array([picture.mean() for picture in line.pictures])
    cells = [p[:p.shape[0] // 4 * 4, :p.shape[1] // 4 * 4].astype(np.float32) for p in line.pictures]
    raw = np.stack([p.reshape(p.shape[0] // 4, 4, p.shape[1] // 4, 4, 3).transpose(0, 2, 1, 3, 4).reshape(p.shape[0] // 4, p.shape[1] // 4, 48) for p in cells])
    rim = maps(line, taught, tested, "within", "in place")
    rim[:, 2:-2, 2:-2] = 0
    ring = rim.shape[1] * rim.shape[2] - (rim.shape[1] - 4) * (rim.shape[2] - 4)
    return {"mean brightness": np.abs(light[tested] - np.median(light[taught])),
            "raw patches": score(in_place(raw[taught] / 255, raw[tested] / 255), 0.005),
            "border only": score(rim, 0.05 * ring / (rim.shape[1] * rim.shape[2]))}


def product(names, counts):
    lines = [Line(name) for name in names]
    draws_kept = list(draws(lines))
    for count in counts:
        ways, pro, chosen = {}, {}, []
        for at, line, taught, out in trials(lines, count):
            bad = np.flatnonzero(line.bad)
            tested = np.concatenate([out, bad])

            def keep(way, scores):
                ways.setdefault(way, []).append((at, out, scores[:len(out)], bad, scores[len(out):]))

            middle = {}
            for how in ("plain", "within"):
                for where in MEMORIES:
                    found = maps(line, taught, tested, how, where)
                    keep(f"{how}, {where}", score(found, SHARE[how, where]))
                    if how == "within":
                        if not chosen:  # one trial tells; it costs five memories
                            middle[where] = np.median(unseen(line, taught, how, where, 0.01))
                        if all(line.masks[i] is not None for i in bad):
                            masks = [np.zeros(line.pictures[i].shape[:2], bool) if line.masks[i] is None else line.masks[i] for i in tested]
                            pro.setdefault(f"{how}, {where}", []).append(au_pro(found, masks))
            if middle:
                chosen.append(middle["in place"] / middle["anywhere"])
            for way, scores in floors(line, taught, tested).items():
                keep(way, scores)
        for way, found in ways.items():
            low, high = np.quantile([auroc(found, draw) for draw in draws_kept], [0.025, 0.975])
            figure = {"product": names[0], "taught": count, "way": way, "auroc": round(auroc(found), 4), "low": round(low, 4), "high": round(high, 4)}
            if way in pro:
                figure["au_pro"] = round(float(np.mean(pro[way])), 4)
            print(json.dumps(figure), flush=True)
        if ways:
            print(json.dumps({"product": names[0], "taught": count, "in place costs / anywhere": round(float(chosen[0]), 2)}), flush=True)


counts = [word.removeprefix("--taught=") for word in sys.argv[1:] if word.startswith("--taught=")] or ["5,10,25,50"]
words = [word for word in sys.argv[1:] if not word.startswith("--")]
for names in (word.split(",") for word in words):
    product(names, [int(count) for count in counts[-1].split(",")])
