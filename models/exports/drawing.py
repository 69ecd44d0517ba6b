"""The pictures that the exports are asked about: metal-like ground with drawn scratches, dents and stains.

Everything comes from a seed, so the same file is drawn on every run. Nothing is photographed.
"""

import cv2
import numpy as np


def draw(seed, width, height, defects=6):
    """A picture `[height, width, 3]`, u8, RGB: a gradient, `defects` shapes, and noise over it."""
    random = np.random.default_rng(seed)
    across = np.linspace(0, 1, width)[None, :, None]
    down = np.linspace(0, 1, height)[:, None, None]
    left, right, foot = (random.uniform(60, 190, 3) for _ in range(3))
    canvas = np.clip(left * (1 - across) + right * across + (foot - 125) * down, 0, 255).astype(np.uint8)
    canvas = np.broadcast_to(canvas, (height, width, 3)).copy()
    side = min(width, height)
    for _ in range(defects):
        at = [int(random.integers(width)), int(random.integers(height))]
        colour = [int(c) for c in random.integers(0, 256, 3)]
        kind = random.integers(3)
        if kind == 0:  # scratch
            to = [int(random.integers(width)), int(random.integers(height))]
            cv2.line(canvas, at, to, colour, int(random.integers(1, 4)))
        elif kind == 1:  # dent
            cv2.circle(canvas, at, int(random.integers(side // 16 + 1, side // 5 + 2)), colour, -1)
        else:  # stain
            axes = [int(random.integers(side // 16 + 1, side // 4 + 2)) for _ in range(2)]
            cv2.ellipse(canvas, at, axes, float(random.uniform(0, 180)), 0, 360, colour, -1)
    noise = random.normal(0, 10, canvas.shape)
    return np.clip(canvas + noise, 0, 255).astype(np.uint8)


def good(seed, width, height):
    """A picture of a part without a defect, for what is fitted on good parts only."""
    return draw(seed, width, height, defects=0)


def save(path, picture):
    """Writes `picture` (RGB) as a PNG."""
    cv2.imwrite(str(path), picture[..., ::-1])
