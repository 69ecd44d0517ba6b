"""An ONNX file as a model of MLServer, by ONNX Runtime."""

import asyncio
import time

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse, MetadataTensor

DATATYPES = {"float": "FP32", "float16": "FP16", "double": "FP64", "uint8": "UINT8", "int64": "INT64", "bool": "BOOL"}


class OnnxModel(MLModel):
    """Its parameters' `extra` may say `gate` (a port: each request waits there for a byte), `timed` (the run's time
    in ms is an output of its own) and `declared` (what the metadata says instead of the truth)."""

    async def load(self) -> bool:
        parameters = self.settings.parameters
        self.extra = parameters.extra or {}
        self.session = onnxruntime.InferenceSession(parameters.uri, providers=["CPUExecutionProvider"])
        self.inputs = [described(tensor) for tensor in self.session.get_inputs()]
        self.outputs = [described(tensor) for tensor in self.session.get_outputs()]
        if "declared" in self.extra:
            self.inputs = [MetadataTensor(**tensor) for tensor in self.extra["declared"]["inputs"]]
            self.outputs = [MetadataTensor(**tensor) for tensor in self.extra["declared"]["outputs"]]
        return True

    async def predict(self, payload):
        if "gate" in self.extra:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.extra["gate"])
            await reader.read(1)
            writer.close()
        given = {tensor.name: NumpyCodec.decode_input(tensor) for tensor in payload.inputs}
        began = time.perf_counter()
        found = self.session.run(None, given)
        took_ms = (time.perf_counter() - began) * 1e3
        names = [tensor.name for tensor in self.session.get_outputs()]
        outputs = [NumpyCodec.encode_output(name, array) for name, array in zip(names, found)]
        if self.extra.get("timed"):
            outputs.append(NumpyCodec.encode_output("took_ms", np.array([took_ms])))
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)


def described(tensor):
    """As ONNX Runtime says it; a side with a name is one that may vary."""
    shape = [side if isinstance(side, int) else -1 for side in tensor.shape]
    return MetadataTensor(name=tensor.name, datatype=DATATYPES[tensor.type[7:-1]], shape=shape)
