//! A model on an inference server, by the open inference protocol v2 over gRPC.
