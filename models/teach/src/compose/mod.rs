//! The taught model as one file: bytes of a picture in, map and score out, and nothing in it but ONNX's own operators.
//!
//! ```text
//!  frame ─▶ normalise ─▶ backbone ─▶ taps, pooled, resized, side by side ─▶ features     features.rs
//!  features ─▶ scale ─▶ cells ─▶ nearest patch in the bank ─▶ distances                  anywhere.rs, in_place.rs
//!  distances ─▶ anomaly_map, pred_score                                                  taught.rs
//! ```

mod anywhere;
mod features;
mod in_place;
mod nodes;
mod taught;

pub use features::{ComposeError, FeatureGraph, FeaturePlan, Tap};
pub use taught::{Limit, OUTPUT_MAP, OUTPUT_SCORE, taught};
