//! Frame to one Tensor per Region: the only pipeline crate that knows OpenCV.
