//! Gauge studies: planned, measured in blind random order, resumable, analysed and put on paper.
