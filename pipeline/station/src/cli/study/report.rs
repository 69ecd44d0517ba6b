//! `plumb study report`: the page to be printed and signed.

use super::{exit_of, open};
use crate::cli::{Exit, fail, say};
use plumb_quality::Confidence;
use std::path::PathBuf;

/// Arguments of `plumb study report`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Report {
    /// The study's file.
    file: PathBuf,
    /// Where the page goes; beside the study, with `.html`, by default.
    #[arg(long, value_name = "HTML")]
    out: Option<PathBuf>,
}

impl Report {
    pub(super) fn run(self) -> Exit {
        let study = match open(&self.file) {
            Ok(study) => study,
            Err(exit) => return exit,
        };
        let finding = match study.analyse(Confidence::NINETY_FIVE) {
            Ok(finding) => finding,
            Err(error) => return fail(exit_of(&error), error),
        };
        let page = plumb_study::report::page(&study, &finding, Confidence::NINETY_FIVE);
        let out = self.out.unwrap_or_else(|| self.file.with_extension("html"));
        match std::fs::write(&out, page.html()) {
            Ok(()) => {
                say(&format!("{}: print it from a browser", out.display()));
                Exit::Ok
            }
            Err(error) => fail(Exit::Device, format!("{} cannot be written: {error}", out.display())),
        }
    }
}
