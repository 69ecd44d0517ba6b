//! What preprocessing promises, seen from outside.

#![allow(clippy::print_stdout)] // a skipped test says so, a measuring one says what it measured

mod every_format;
mod placement;
mod real_pictures;
mod refusals;
mod scene;
mod steady_line;
