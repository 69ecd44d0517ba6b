//! What an ONNX file is, told from the file itself: family, input, labels, and where each fact comes from.
