"""OpenVINO's own asynchronous queue: as many pictures a second as OpenVINO itself makes of a model and of threads.

    async_queue.py MODEL.onnx NUMBERS.f32 THREADS

The picture is prepared beforehand, outputs are dropped unread: it is the model alone.
"""

import pathlib
import sys

import numpy as np
import openvino
from openvino import properties
from openvino.properties import hint

from answering import Clock, answer, orders


def main():
    model, numbers, threads = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    wanted = {hint.performance_mode(): hint.PerformanceMode.THROUGHPUT, properties.inference_num_threads(): threads,
              hint.inference_precision(): openvino.Type.f32}
    compiled = openvino.Core().compile_model(model, "CPU", wanted)
    queue = openvino.AsyncInferQueue(compiled)  # as many requests as OpenVINO holds best
    picture = np.fromfile(numbers, np.float32).reshape(tuple(compiled.input(0).shape))
    for times in orders():
        clock = Clock()
        for _ in range(times):
            queue.start_async({0: picture})
        queue.wait_all()
        answer(clock.each(times))


if __name__ == "__main__":
    main()
