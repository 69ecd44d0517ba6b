//! Parts that lie as they please: found, cut where they lie, and measured.

mod aligning;
mod following;
mod measuring;
mod render;
