//! A production line in a box: parts, defects, belt, photo-eye, gate, ground truth.
