"""The cheapest inference server there can be: takes any request without reading it and gives a stored answer.

Prints its port. What a client spends on it is the client's own and the network's."""

import sys
from concurrent import futures

import grpc
from mlserver.grpc import dataplane_pb2 as pb

SERVICE = "inference.GRPCInferenceService"


def tensor(kind, name, shape):
    return kind(name=name, datatype="FP32", shape=shape)


METADATA = pb.ModelMetadataResponse(
    name="stored",
    inputs=[tensor(pb.ModelMetadataResponse.TensorMetadata, "picture", [1, 3, 256, 256])],
    outputs=[tensor(pb.ModelMetadataResponse.TensorMetadata, "detections", [1, 6, 3])],
)
ANSWER = pb.ModelInferResponse(
    outputs=[tensor(pb.ModelInferResponse.InferOutputTensor, "detections", [1, 6, 3])],
    raw_output_contents=[bytes(18 * 4)],
)


def always(message):
    stored = message.SerializeToString()
    return grpc.unary_unary_rpc_method_handler(lambda request, context: stored)


server = grpc.server(
    futures.ThreadPoolExecutor(max_workers=2), options=[("grpc.max_receive_message_length", -1)]
)
calls = {"ModelMetadata": METADATA, "ModelReady": pb.ModelReadyResponse(ready=True), "ModelInfer": ANSWER}
handlers = {call: always(message) for call, message in calls.items()}
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.buffer.read()
