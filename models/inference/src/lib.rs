//! Tensor to Findings: the only crate that knows ONNX Runtime.
