//! Light to Frame: the only crate that knows GStreamer.
