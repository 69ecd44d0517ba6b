"""Runs an ONNX file on this machine, no server: `local.py MODEL < INPUT > OUTPUT`, raw numbers, the first output."""

import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
given = session.get_inputs()[0]
picture = np.frombuffer(sys.stdin.buffer.read(), dtype=np.float32).reshape(given.shape)
sys.stdout.buffer.write(session.run(None, {given.name: picture})[0].tobytes())
