//! Parts that lie as they please: found, cut where they lie, and measured.

mod aligning;
mod measuring;
mod render;
