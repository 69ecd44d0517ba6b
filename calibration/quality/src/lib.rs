//! The statistics of quality: pure functions, each with its source.
