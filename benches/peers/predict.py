"""`YOLO(model).predict(video, stream=True)` of Ultralytics on the processor: video file -> boxes, as most people run it.

    predict.py MODEL.onnx CLIP SIDE THREADS EDGE

Its answer is one frame's share of the time between frame EDGE and the last but EDGE: filling up at either end is not
counted. `THREADS` goes to ONNX Runtime, OpenCV and torch; predict itself leaves all three at the number of cores.
"""

import os
import sys

os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")
os.environ["OMP_NUM_THREADS"] = sys.argv[4]

import cv2
import onnxruntime
import torch

from answering import Clock, answer, orders


def with_threads(threads):
    """predict has no word for it: the session it opens is given the option on its way."""
    opened = onnxruntime.InferenceSession

    def open_session(model, options=None, **rest):
        options = options or onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        return opened(model, options, **rest)

    onnxruntime.InferenceSession = open_session
    cv2.setNumThreads(threads)
    torch.set_num_threads(threads)


def main():
    model, clip = sys.argv[1:3]
    side, threads, edge = map(int, sys.argv[3:])
    with_threads(threads)
    from ultralytics import YOLO

    cv2.setNumThreads(threads)  # importing Ultralytics sets it to 0
    yolo = YOLO(model, task="detect")
    for frames in orders():
        clock, found = None, 0
        for seen, result in enumerate(yolo.predict(clip, stream=True, imgsz=side, conf=0.25, iou=0.5, max_det=300,
                                                   device="cpu", save=False, verbose=False), 1):
            found += len(result.boxes)
            if seen == edge:
                clock = Clock()
            if seen == frames - edge:
                taken = clock.each(frames - 2 * edge)
        answer(taken | {"found": found})


if __name__ == "__main__":
    main()
