//! A backbone that somebody brings: which of its values hold features with a place in the picture.
//!
//! No names are trusted: every value of the graph is given out once, ONNX Runtime says what shape each has, and what has the
//! shape of a stage of a convolutional network, or of a transformer's tokens, is a candidate.

use crate::compose::Tap;
use crate::features::Grid;
use plumb_inference::{Extractor, ExtractorError, Promised, Runtime};
use plumb_inspection::{ColourOrder, Element, Fit, Layout, TensorSpec};
use plumb_onnx::{CutError, OnnxFile, Side};
use std::path::Path;

/// The fewest cells along a side that tell one place from another.
const SIDE_MIN: usize = 4;

/// Strides whose stages are taken where a network has them: fine enough to find a scratch, deep enough to know what it is
/// (PatchCore takes the second and third stage of a ResNet).
const STRIDES: [f64; 2] = [8.0, 16.0];

/// Tokens of a transformer that stand for the whole picture: a class token and up to eight registers.
const FOR_THE_WHOLE_MAX: usize = 9;

/// What was taken of a backbone, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The values, coarsest last.
    pub taps: Vec<Tap>,
    /// One line each, for whoever brought the file.
    pub says: Vec<String>,
}

/// Why nothing was taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BackboneError {
    /// The graph does not open, or takes something else than a picture.
    #[error(transparent)]
    Extractor(#[from] ExtractorError),
    /// The picture's size is not the one that it takes.
    #[error(transparent)]
    Cut(#[from] CutError),
    /// Nothing with a place.
    #[error(
        "it has no features with a place in a picture of {width}x{height} px: no value of at least {SIDE_MIN}x{SIDE_MIN} \
         cells that is smaller than the picture, and no tokens of patches. It gives {gives}. An anomaly model needs the \
         layers before the pooling: export the network with them, or bring another"
    )]
    NoPlace {
        /// Of the picture.
        width: u32,
        /// Of the picture.
        height: u32,
        /// Its outputs.
        gives: String,
    },
}

/// The values of `backbone`, read from `of`, that a memory is best made of, for pictures of `size` px (width, height).
///
/// # Errors
/// When the graph does not open for such pictures, or has nothing of use.
pub fn choose(
    runtime: &Runtime,
    backbone: &OnnxFile,
    of: &Path,
    (width, height): (u32, u32),
) -> Result<Choice, BackboneError> {
    let promised = promised(runtime, backbone, of, (width, height), &every_value(backbone))?;
    // The convolution that makes a transformer's patches looks like a stage, and is none: tokens go first.
    let taps = tokens(&promised, width, height).or_else(|| stages(&promised, width, height));
    let taps = taps.ok_or_else(|| no_place(backbone, (width, height)))?;
    let says = taps.iter().map(|tap| told(tap, width)).collect();
    Ok(Choice { taps, says })
}

/// A file that was made to give features: its only output, `[1, channels, rows, columns]`.
///
/// # Errors
/// As [`choose`].
pub fn own(
    runtime: &Runtime,
    file: &OnnxFile,
    of: &Path,
    (width, height): (u32, u32),
) -> Result<Tap, BackboneError> {
    let outputs = file.outputs();
    let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
    let promised = promised(runtime, file, of, (width, height), &names)?;
    match &promised[..] {
        [Promised { name, sides }] => match sides[..] {
            [Some(1), Some(channels), Some(rows), Some(columns)]
                if rows >= SIDE_MIN && columns >= SIDE_MIN =>
            {
                Ok(Tap::Stage { name: name.clone(), channels, grid: Grid { rows, columns } })
            }
            _ => Err(no_place(file, (width, height))),
        },
        _ => Err(no_place(file, (width, height))),
    }
}

fn no_place(file: &OnnxFile, (width, height): (u32, u32)) -> BackboneError {
    let gives = file.outputs().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    BackboneError::NoPlace { width, height, gives }
}

/// Everything that a node of the main graph gives.
fn every_value(file: &OnnxFile) -> Vec<&str> {
    let nodes = file.model().graph.iter().flat_map(|graph| &graph.node);
    nodes.flat_map(|node| &node.output).map(String::as_str).filter(|value| !value.is_empty()).collect()
}

/// The shapes of `values` for pictures of this size, as ONNX Runtime infers them.
fn promised(
    runtime: &Runtime,
    backbone: &OnnxFile,
    of: &Path,
    (width, height): (u32, u32),
    values: &[&str],
) -> Result<Vec<Promised>, BackboneError> {
    let inputs = backbone.inputs();
    let channels = match inputs.first().and_then(|input| input.sides().get(1)) {
        Some(Side::Fixed(1)) => 1,
        _ => 3,
    };
    let fixed = backbone.with_input_sides(&[1, channels, u64::from(height), u64::from(width)])?;
    let given = fixed.cut_at(values)?;
    let spec = TensorSpec {
        width,
        height,
        colour: if channels == 1 { ColourOrder::Grey } else { ColourOrder::Rgb },
        layout: Layout::Nchw,
        element: Element::F32,
        fit: Fit::Stretch,
        scale: 1.0,
        mean: vec![],
        std: vec![],
    };
    Ok(Extractor::open(runtime, (&given.encode(), of), spec, 1)?.promised())
}

fn told(tap: &Tap, width: u32) -> String {
    let Grid { rows, columns } = tap.grid();
    let (name, channels) = (tap.name(), tap.channels());
    let stride = f64::from(width) / columns as f64;
    match tap {
        Tap::Stage { .. } => {
            format!(
                "\"{name}\": the end of a stage, {channels} channels, {columns} x {rows} cells of {stride:.0} px"
            )
        }
        Tap::Tokens { first, .. } => format!(
            "\"{name}\": the tokens of {columns} x {rows} patches of {stride:.0} px, {channels} numbers each; {first} before \
             them stand for the whole picture"
        ),
    }
}

/// The ends of a convolutional network's stages: of each resolution the last value, in the order in which the graph runs.
fn stages(promised: &[Promised], width: u32, height: u32) -> Option<Vec<Tap>> {
    let mut ends: Vec<(f64, Tap)> = Vec::new();
    for value in promised {
        let [Some(1), Some(channels), Some(rows), Some(columns)] = value.sides[..] else { continue };
        let grid = Grid { rows, columns };
        let stride = f64::from(width) / columns.max(1) as f64;
        let is_even = (f64::from(height) / rows.max(1) as f64 / stride - 1.0).abs() < 0.25;
        if rows < SIDE_MIN || columns < SIDE_MIN || stride < 1.5 || channels < 8 || !is_even {
            continue;
        }
        let tap = Tap::Stage { name: value.name.clone(), channels, grid };
        match ends.iter_mut().find(|(_, end)| end.grid() == grid) {
            Some(end) => *end = (stride, tap),
            None => ends.push((stride, tap)),
        }
    }
    // Deeper is coarser. What is finer again, a decoder or a pyramid on top of the stages, keeps its resolution's place.
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let near = |wanted: f64| {
        let far = |stride: f64| (stride / wanted).ln().abs();
        ends.iter().filter(|(stride, _)| far(*stride) < 0.5).min_by(|a, b| far(a.0).total_cmp(&far(b.0)))
    };
    let mut taps: Vec<Tap> =
        STRIDES.iter().filter_map(|wanted| near(*wanted)).map(|(_, tap)| tap.clone()).collect();
    if taps.is_empty() {
        // A small or an unusual network: its coarsest stage that still tells places apart.
        taps.extend(ends.last().map(|(_, tap)| tap.clone()));
    }
    (!taps.is_empty()).then_some(taps)
}

/// A vision transformer's tokens after its last block.
fn tokens(promised: &[Promised], width: u32, height: u32) -> Option<Vec<Tap>> {
    // The patches' own convolution tells their grid.
    let patches = promised.iter().find_map(|value| match value.sides[..] {
        [Some(1), Some(channels), Some(rows), Some(columns)]
            if rows >= SIDE_MIN
                && columns >= SIDE_MIN
                && columns < width as usize
                && rows < height as usize =>
        {
            Some((channels, Grid { rows, columns }))
        }
        _ => None,
    });
    let (channels, grid) = patches?;
    let found = promised.iter().rev().find_map(|value| match value.sides[..] {
        [Some(1), Some(count), Some(numbers)] if numbers == channels => {
            let first = count.checked_sub(grid.cells()).filter(|first| *first <= FOR_THE_WHOLE_MAX)?;
            Some(Tap::Tokens { name: value.name.clone(), channels, grid, first })
        }
        _ => None,
    });
    found.map(|tap| vec![tap])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str, sides: &[usize]) -> Promised {
        Promised { name: name.to_owned(), sides: sides.iter().map(|side| Some(*side)).collect() }
    }

    #[test]
    fn of_a_convolutional_network_the_ends_of_two_stages_are_taken() {
        let promised = [
            value("stem", &[1, 64, 112, 112]),
            value("pool", &[1, 64, 56, 56]),
            value("layer2.conv", &[1, 128, 28, 28]),
            value("layer2.relu", &[1, 128, 28, 28]),
            value("layer3.relu", &[1, 256, 14, 14]),
            value("layer4.relu", &[1, 512, 7, 7]),
            value("pooled", &[1, 512, 1, 1]),
            value("logits", &[1, 1000]),
        ];
        let taps = stages(&promised, 224, 224).unwrap();
        let names: Vec<&str> = taps.iter().map(Tap::name).collect();
        assert_eq!(names, ["layer2.relu", "layer3.relu"]);
    }

    #[test]
    fn of_a_transformer_the_last_tokens_without_those_of_the_whole() {
        let promised = [
            value("patches", &[1, 384, 16, 16]),
            value("block0", &[1, 261, 384]),
            value("block1.mlp", &[1, 261, 1536]),
            value("block1", &[1, 261, 384]),
            value("norm", &[1, 261, 384]),
            value("cls", &[1, 384]),
        ];
        let taps = tokens(&promised, 224, 224).unwrap();
        let grid = Grid { rows: 16, columns: 16 };
        assert_eq!(taps, [Tap::Tokens { name: "norm".to_owned(), channels: 384, grid, first: 5 }]);
    }

    #[test]
    fn what_has_no_place_is_no_stage() {
        let promised = [value("flat", &[1, 3072]), value("hidden", &[1, 128]), value("logits", &[1, 10])];
        assert_eq!((stages(&promised, 32, 32), tokens(&promised, 32, 32)), (None, None));
    }
}
