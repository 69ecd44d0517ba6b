"""Pictures as Plumb's preprocessing hands them to a model: what is written here follows `pipeline/preprocess`.

`python prepare.py` checks itself on numbers worked out by hand.
"""

import cv2
import numpy as np


def spec(card):
    """`[input]` of a card with what it leaves out filled in."""
    return {"colour": "rgb", "layout": "nchw", "element": "f32", "fit": {"kind": "stretch"}, "scale": 1 / 255,
            "mean": [], "std": []} | card["input"]


def centred(shape, room):
    """The largest rectangle of the proportions of `shape` (w, h) in the middle of `room` (x, y, w, h)."""
    x, y, width, height = room
    scale = min(width / shape[0], height / shape[1])
    # Half a px goes up, as in Rust; Python would take it to the even number.
    w, h = (min(max(int(np.floor(side * scale + 0.5)), 1), most) for side, most in zip(shape, (width, height)))
    return x + (width - w) // 2, y + (height - h) // 2, w, h


def tensor(picture, region, want):
    """`picture` is BGR or grey as OpenCV reads it, `region` x, y, w, h in px or None for all; a batch of one."""
    x, y, w, h = region or (0, 0, picture.shape[1], picture.shape[0])
    if x < 0 or y < 0 or x + w > picture.shape[1] or y + h > picture.shape[0]:
        raise SystemExit(f"region {x},{y},{w},{h} is not within a picture of {picture.shape[1]}x{picture.shape[0]}")
    width, height, kind = want["width"], want["height"], want["fit"]["kind"]
    content = (0, 0, width, height)
    if kind == "letterbox":
        content = centred((w, h), content)
    elif kind == "crop":
        x, y, w, h = centred((width, height), (x, y, w, h))
    small = cv2.resize(picture[y:y + h, x:x + w], content[2:], interpolation=cv2.INTER_LINEAR)
    if want["colour"] == "grey":
        small = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        small = small[..., None]
    else:
        small = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR) if small.ndim == 2 else small
        small = small[..., ::-1] if want["colour"] == "rgb" else small
    pad = want["fit"].get("pad", 114) if kind == "letterbox" else 0
    whole = np.full((height, width, small.shape[2]), pad, np.uint8)
    left, top, w, h = content
    whole[top:top + h, left:left + w] = small
    if want["element"] != "u8":
        mean, std = (np.float32(want[key] or [empty]) for key, empty in (("mean", 0), ("std", 1)))
        whole = (whole.astype(np.float32) * np.float32(want["scale"]) - mean) / std
    whole = whole if want["layout"] == "nhwc" else whole.transpose(2, 0, 1)
    return np.ascontiguousarray(whole[None])


if __name__ == "__main__":
    ramp = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
    boxed = tensor(ramp, None, spec({"input": {"width": 4, "height": 4, "fit": {"kind": "letterbox", "pad": 255}}}))
    assert boxed.shape == (1, 3, 4, 4) and boxed[0, 0, 0, 0] == 1 and boxed[0, 0, 1, 0] == np.float32(2) / np.float32(255)
    cropped = tensor(ramp, (1, 0, 3, 2), spec({"input": {"width": 2, "height": 2, "fit": {"kind": "crop"}, "scale": 1,
                                                         "colour": "bgr", "layout": "nhwc", "mean": [3]}}))
    assert cropped.tolist() == [[[[0, 1, 2], [3, 4, 5]], [[12, 13, 14], [15, 16, 17]]]]
    print("ok")
