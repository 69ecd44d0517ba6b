//! Where features come from: a backbone that somebody brings, or Plumb's own filters.

use super::Stop;
use crate::cli::Exit;
use plumb_inference::{Card, Extractor, Runtime};
use plumb_onnx::{Layout, OnnxFile, Prelude};
use plumb_teach::{
    backbone::{self, Choice},
    compose::{FeatureGraph, FeaturePlan},
};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Plumb's own filters, as they are in `models/zoo`.
const BANK: &[u8] = include_bytes!("../../../../../models/zoo/texture-bank/texture-bank.onnx");
const BANK_NAME: &str = "texture-bank";

/// Sides of a picture that any network takes: its strides end at 32.
const EVEN: u32 = 32;

/// A longer side costs more than it shows: a cell of 8 px of 1024 is smaller than most defects.
const SIDE_MAX: u32 = 1024;

/// What classifiers are trained with where nothing else is said (ImageNet).
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// A backbone, and what is taken of it.
pub(super) struct Source {
    /// Its name on the card.
    pub(super) name: String,
    /// SHA-256 of its file.
    pub(super) sha256: String,
    /// For whoever brought it.
    pub(super) says: Vec<String>,
    file: OnnxFile,
    path: PathBuf,
    plan: FeaturePlan,
}

impl Source {
    /// Of the file `backbone`, or of Plumb's own; `region_px` is the size of what is looked at.
    pub(super) fn of(
        backbone: Option<&Path>,
        size: Option<(u32, u32)>,
        region_px: (u32, u32),
        runtime: &Runtime,
    ) -> Result<Self, Stop> {
        match backbone {
            None => Self::own(size, region_px, runtime),
            Some(path) => Self::brought(path, size, region_px, runtime),
        }
    }

    fn own(size: Option<(u32, u32)>, region_px: (u32, u32), runtime: &Runtime) -> Result<Self, Stop> {
        let path = Path::new(BANK_NAME).with_extension("onnx");
        let file = OnnxFile::parse(BANK, &path).map_err(|error| Stop::new(Exit::Bug, error))?;
        let (width, height) = size.unwrap_or_else(|| halved(region_px));
        let wrong = |error: backbone::BackboneError| Stop::new(Exit::Usage, error);
        let tap = backbone::own(runtime, &file, &path, (width, height)).map_err(wrong)?;
        let prelude = Prelude {
            layout: Layout::Nchw,
            reverse_channels: false,
            scale: 1.0 / 255.0,
            mean: vec![],
            std: vec![],
        };
        let plan = FeaturePlan { width, height, prelude, taps: vec![tap], pooled: false };
        let says = vec![format!("features: Plumb's own filters, of pictures of {width}x{height} px")];
        Ok(Self { name: BANK_NAME.to_owned(), sha256: digest(BANK), says, file, path, plan })
    }

    fn brought(
        path: &Path,
        size: Option<(u32, u32)>,
        region_px: (u32, u32),
        runtime: &Runtime,
    ) -> Result<Self, Stop> {
        let model = |error: &dyn std::fmt::Display| {
            Stop(Exit::Model, format!("backbone {}: {error}", path.display()))
        };
        let bytes = OnnxFile::bytes(path).map_err(|error| model(&error))?;
        let file = OnnxFile::parse(bytes.clone(), path).map_err(|error| model(&error))?;
        if !file.external_files().is_empty() {
            return Err(model(
                &"its weights lie in other files, and a taught model is one file; export it with them inside",
            ));
        }
        let inputs = file.inputs();
        let [_, _, rows, columns] = inputs.first().map(|input| input.lengths()).unwrap_or_default()[..]
        else {
            let inputs = inputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(model(&format!("it takes {inputs}, and a picture is [1, 3, rows, columns]")));
        };
        let even = |side: u32| (side.min(SIDE_MAX).max(EVEN) + EVEN / 2) / EVEN * EVEN;
        let (width, height) = size.unwrap_or_else(|| {
            let (width, height) = halved(region_px);
            let side = |fixed: Option<u64>, own: u32| {
                fixed.and_then(|fixed| u32::try_from(fixed).ok()).unwrap_or(even(own))
            };
            (side(columns, width), side(rows, height))
        });
        let Choice { taps, mut says } =
            backbone::choose(runtime, &file, path, (width, height)).map_err(|error| model(&error))?;
        let (prelude, from) =
            prelude(path, inputs.first().is_some_and(|input| input.lengths().get(1) == Some(&Some(1))));
        says.push(format!("pictures of {width}x{height} px, {from}"));
        says.iter_mut().for_each(|line| *line = format!("backbone {line}"));
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let plan = FeaturePlan { width, height, prelude, taps, pooled: true };
        Ok(Self { name, sha256: digest(&bytes), says, file, path: path.to_owned(), plan })
    }

    /// The values of the backbone that are taken.
    pub(super) fn taps(&self) -> Vec<&str> {
        self.plan.taps.iter().map(|tap| tap.name()).collect()
    }

    /// Bytes of a picture in, features out.
    pub(super) fn graph(&self) -> Result<FeatureGraph, Stop> {
        let wrong = |error| Stop(Exit::Model, format!("backbone {}: {error}", self.path.display()));
        self.plan.compose(&self.file).map_err(wrong)
    }

    /// The same, ready to run.
    pub(super) fn extractor(&self, runtime: &Runtime, graph: &FeatureGraph) -> Result<Extractor, Stop> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Extractor::open(runtime, (&graph.file.encode(), &self.path), graph.spec.clone(), threads)
            .map_err(|error| Stop::new(Exit::Model, error))
    }
}

/// As the card beside the backbone says, where there is one; else as most classifiers are trained.
fn prelude(backbone: &Path, is_grey: bool) -> (Prelude, String) {
    let card = Card::read(&backbone.with_extension("toml")).ok();
    let layout = Layout::Nchw;
    match card {
        Some(card) => {
            let spec = card.input;
            let reverse_channels = spec.colour == plumb_inspection::ColourOrder::Bgr;
            let says = format!("brought to its numbers as {} says", card.path.display());
            (Prelude { layout, reverse_channels, scale: spec.scale, mean: spec.mean, std: spec.std }, says)
        }
        None => {
            let (mean, std) = if is_grey { (vec![], vec![]) } else { (MEAN.to_vec(), STD.to_vec()) };
            let says = "brought to its numbers as ImageNet's are, a guess; a card beside it says otherwise";
            (Prelude { layout, reverse_channels: false, scale: 1.0 / 255.0, mean, std }, says.to_owned())
        }
    }
}

/// Half each way: noise is averaged, what is left to see is a quarter of the work.
fn halved((width, height): (u32, u32)) -> (u32, u32) {
    let longest = width.max(height).div_ceil(2);
    let (to, of) = if longest > SIDE_MAX { (SIDE_MAX, 2 * longest) } else { (1, 2) };
    let side =
        |side: u32| (u64::from(side) * u64::from(to)).div_ceil(u64::from(of)).clamp(16, u64::from(SIDE_MAX));
    (side(width) as u32, side(height) as u32)
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_halved_and_a_huge_one_brought_to_a_limit() {
        assert_eq!(halved((550, 380)), (275, 190));
        assert_eq!(halved((4096, 2048)), (1024, 512));
        assert_eq!(halved((20, 10)), (16, 16));
    }
}
