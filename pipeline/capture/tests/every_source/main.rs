//! Every kind of source, against the real thing wherever this machine has it.
#![allow(clippy::print_stdout)] // a test that is skipped, or measures, says so

mod files;
mod gige;
mod line;
mod pipeline;
mod rtsp;
mod v4l2;
mod witness;
