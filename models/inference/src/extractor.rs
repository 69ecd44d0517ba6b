//! A graph that is run for its numbers: no card, no family, nothing read into what it gives.

use crate::output::Output;
use crate::session::{Asked, OpenError, RunError, Session, Source};
use crate::{Device, LoadOptions, Runtime};
use plumb_inspection::{TensorSpec, Values};
use std::path::{Path, PathBuf};

/// A graph of one picture and any outputs, open on the processor. What is taught looks at pictures through one.
#[derive(Debug)]
pub struct Extractor {
    session: Session,
    spec: TensorSpec,
}

/// One output of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// As the graph names it.
    pub name: String,
    /// With its batch of one, where it has one.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
}

/// An output as the graph promises it, before it is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promised {
    /// As the graph names it.
    pub name: String,
    /// Its sides, `None` for one that the library cannot tell; empty where it is no tensor of 32-bit floats.
    pub sides: Vec<Option<usize>>,
}

/// Why a graph gives no numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtractorError {
    /// It does not open.
    #[error("ONNX Runtime does not open the graph of {}: {reason}", of.display())]
    Open {
        /// The file that it was made of.
        of: PathBuf,
        /// The library's words.
        reason: String,
    },
    /// It takes something else than the picture that it is to be given.
    #[error("the graph of {} takes {takes}, and is to be given {given:?}", of.display())]
    Input {
        /// The file that it was made of.
        of: PathBuf,
        /// As the library writes it.
        takes: String,
        /// The tensor's shape.
        given: [usize; 4],
    },
    /// A run failed.
    #[error("ONNX Runtime does not run the graph: {0}")]
    Run(String),
}

impl Extractor {
    /// Opens the graph in `bytes`, which is to be given tensors of `spec`, on the processor with so many threads. `of` is
    /// the file that it was made of: weights that lie apart are beside it, and messages name it.
    ///
    /// # Errors
    /// When the library does not open it, or it takes something else.
    pub fn open(
        runtime: &Runtime,
        (bytes, of): (&[u8], &Path),
        spec: TensorSpec,
        threads: usize,
    ) -> Result<Self, ExtractorError> {
        let options = LoadOptions { device: Device::Cpu, threads: threads.max(1), ..LoadOptions::default() };
        let asked = Asked { runtime, device: &options.device, options: &options, sides: &[], profile: None };
        let folder = of.parent().unwrap_or(Path::new(""));
        let session = Session::open(&asked, Source::Edited { bytes, folder }, None)
            .map_err(|error| ExtractorError::Open { of: of.to_owned(), reason: why(error) })?;
        let given = spec.shape();
        let fits = session.input().is_some_and(|(element, sides)| {
            let fit = |(takes, given): (&i64, &usize)| *takes < 0 || usize::try_from(*takes) == Ok(*given);
            element == spec.element && sides.len() == given.len() && sides.iter().zip(&given).all(fit)
        });
        if !fits || session.inputs().len() != 1 {
            return Err(ExtractorError::Input { of: of.to_owned(), takes: session.input_type(), given });
        }
        Ok(Self { session, spec })
    }

    /// What it is to be given.
    pub fn spec(&self) -> &TensorSpec {
        &self.spec
    }

    /// Its outputs, as far as the library can tell without a run.
    pub fn promised(&self) -> Vec<Promised> {
        self.session.promised()
    }

    /// Everything it gives for one picture, in the order of its outputs.
    ///
    /// # Errors
    /// When the picture is not of the spec, or the run fails.
    pub fn run(&mut self, picture: &Values) -> Result<Vec<Given>, ExtractorError> {
        let numbers = match picture {
            Values::F32(values) => values.len(),
            Values::U8(values) => values.len(),
        };
        if numbers != self.spec.len() {
            let says = format!("a picture of {numbers} numbers was given, {} are wanted", self.spec.len());
            return Err(ExtractorError::Run(says));
        }
        let own = |outputs: &[Output<'_>]| {
            let each = outputs.iter().map(|output| Given {
                name: output.name.to_owned(),
                shape: output.shape.clone(),
                values: output.values.to_vec(),
            });
            each.collect()
        };
        self.session.run(&self.spec, &[picture], 1, own).map_err(|error| {
            ExtractorError::Run(match error {
                RunError::Fault(_, reason) | RunError::Failed(reason) => reason,
                RunError::Remote(error) => error.to_string(),
            })
        })
    }
}

fn why(error: OpenError) -> String {
    match error {
        OpenError::Device(reason) | OpenError::NotOnnx(reason) | OpenError::Refused(reason) => reason,
        OpenError::Fault(_, reason) => reason,
        OpenError::Operator(operator) => format!("it does not know the operator {operator}"),
    }
}
