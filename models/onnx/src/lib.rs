//! An ONNX file read and edited as what it is, a protobuf: no runtime needed.
