//! When a part is there: a photo-eye made of pixels, for lines whose trigger is not wired to the camera.
//!
//! # Set up on one real belt, tried elsewhere
//!
//! Clear bottles with labels on a filmed belt, 187 frames, moving left by some 7 px a frame, many of them touching; light that
//! adjusts itself. The line `[x, 320, x, 400]` runs down the labels. Right is: each bottle fires once, between its left edge
//! and its middle (± 2 and 1 frames), and nothing else fires. Method, height of the line and thresholds were chosen on this
//! same clip while looking at all these positions, so the table shows how much room there is, not how it does elsewhere.
//!
//! | `sense = structure`, band 9 px, `clear_frames` 2 | lines right, of 31 (x = 180, 190 … 480) |
//! |---|---|
//! | `contrast_pct` 3, and 4 (default) | 31, 31 |
//! | 5, 6 | 28, 15 |
//! | 4 with `band_px` 5, 15 | 28, 31 |
//! | 4 with `clear_frames` 1, 3 | 26, 26 |
//! | 4 with y 310–390, 330–410, 320–430 | 29, 28, 31 |
//! | 4 with y 310–430, 340–400, 300–440 (past the labels, into shoulders and shadows) | 26, 26, 9 |
//!
//! `sense = shade` is right at one of sixteen lines there: shadows between close bottles are half as bright as the open wall.
//! On the built-in line, whose parts are plain and whose belt is even, it is the right one.

mod barrier;
mod photo_eye;
mod sense;

pub use photo_eye::{FireOn, PhotoEye, PhotoEyeConfig, PhotoEyeError};
pub use sense::Sense;
