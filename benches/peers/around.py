"""What lies around `session.run` when it is written with OpenCV and numpy, one thread: the way in or the way out.

    around.py in PICTURES SIDE     letterbox, RGB, 0..1, CHW: pictures as OpenCV decodes them -> f32 [1, 3, side, side]
    around.py out OUTPUT.npy SIDE  [1, 84, n] -> boxes in frame px, by the best class, suppressed class by class

Vector code throughout: the loops over boxes that many examples have would take ten times as long.
"""

import pathlib
import sys

import cv2
import numpy as np

from answering import take_turns

SIDE, SCORE_MIN, IOU_MAX = int(sys.argv[3]), 0.25, 0.5
FRAME = (720, 1280)


def prepare(picture):
    height, width = picture.shape[:2]
    scale = min(SIDE / height, SIDE / width)
    new_width, new_height = round(width * scale), round(height * scale)
    small = cv2.resize(picture, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    top, left = (SIDE - new_height) // 2, (SIDE - new_width) // 2
    boxed = cv2.copyMakeBorder(small, top, SIDE - new_height - top, left, SIDE - new_width - left,
                               cv2.BORDER_CONSTANT, value=(114, 114, 114))
    rgb = cv2.cvtColor(boxed, cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray((rgb.astype(np.float32) / 255.0).transpose(2, 0, 1)[None])


def read(output):
    rows = output[0].T
    scores = rows[:, 4:].max(1)
    likely = scores >= SCORE_MIN
    rows, scores = rows[likely], scores[likely]
    classes = rows[:, 4:].argmax(1)
    boxes = rows[:, :4].copy()
    boxes[:, :2] -= boxes[:, 2:] / 2
    kept = cv2.dnn.NMSBoxesBatched(boxes, scores, classes, SCORE_MIN, IOU_MAX)
    scale = min(SIDE / FRAME[0], SIDE / FRAME[1])
    boxes = boxes[kept]
    boxes[:, 0] -= (SIDE - round(FRAME[1] * scale)) / 2
    boxes[:, 1] -= (SIDE - round(FRAME[0] * scale)) / 2
    boxes /= scale
    return boxes, scores[kept], classes[kept]


def main():
    cv2.setNumThreads(1)
    way, path = sys.argv[1], pathlib.Path(sys.argv[2])
    if way == "in":
        pictures = [cv2.imread(str(file)) for file in sorted(path.glob("*.png"))]
        take_turns(lambda i: prepare(pictures[i % len(pictures)]))
    else:
        output = np.load(path)
        take_turns(lambda _: read(output))


if __name__ == "__main__":
    main()
