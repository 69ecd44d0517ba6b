//! The feature graph: bytes of a picture in, `[1, channels, rows, columns]` out. What is taught is taught with it, and
//! what runs at the line has it inside: there is no second way from a picture to its features.

use super::nodes::{OPSETS, reshape, resize};
use crate::features::Grid;
use plumb_inspection::{ColourOrder, Element, Fit, Layout, TensorSpec};
use plumb_onnx::{Attribute, CutError, Draft, OnnxFile, Prelude, PreludeError, Side};

/// A value in the middle of a backbone that holds features with a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tap {
    /// `[1, channels, rows, columns]`, as the stages of a convolutional network give it.
    Stage {
        /// The value.
        name: String,
        /// Its channels.
        channels: usize,
        /// Its rows and columns.
        grid: Grid,
    },
    /// `[1, first + rows · columns, channels]`, as a vision transformer gives it: `first` tokens stand for the whole.
    Tokens {
        /// The value.
        name: String,
        /// Its channels.
        channels: usize,
        /// The patches that its tokens stand for, row by row.
        grid: Grid,
        /// Tokens before the first patch's.
        first: usize,
    },
}

impl Tap {
    /// The value.
    pub fn name(&self) -> &str {
        match self {
            Self::Stage { name, .. } | Self::Tokens { name, .. } => name,
        }
    }

    /// Numbers a cell.
    pub fn channels(&self) -> usize {
        match self {
            Self::Stage { channels, .. } | Self::Tokens { channels, .. } => *channels,
        }
    }

    /// Its cells.
    pub fn grid(&self) -> Grid {
        match self {
            Self::Stage { grid, .. } | Self::Tokens { grid, .. } => *grid,
        }
    }
}

/// How features are to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct FeaturePlan {
    /// Width of the picture that is given, px.
    pub width: u32,
    /// Height of it, px.
    pub height: u32,
    /// How its bytes become the backbone's numbers.
    pub prelude: Prelude,
    /// Where in the backbone, at least one. The finest of their grids becomes that of the features.
    pub taps: Vec<Tap>,
    /// Each cell is the mean of itself and its neighbours (PatchCore's 3 × 3).
    pub pooled: bool,
}

/// A graph that gives features.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureGraph {
    /// One input, bytes; one output, `[1, channels, rows, columns]`.
    pub file: OnnxFile,
    /// Its output.
    pub output: String,
    /// The picture that it is given: bytes, row, column, channel.
    pub spec: TensorSpec,
    /// Its cells.
    pub grid: Grid,
    /// Numbers a cell.
    pub channels: usize,
}

/// Why a backbone cannot be built upon.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ComposeError {
    /// Operators too old or too new.
    #[error("it uses opset {opset}, and a memory is built for {} to {}; export it again with opset 17", OPSETS.start(), OPSETS.end())]
    Opset {
        /// Of ONNX's own operators.
        opset: i64,
    },
    /// The picture's bytes cannot be brought in.
    #[error(transparent)]
    Prelude(#[from] PreludeError),
    /// A tap or size that the graph does not have.
    #[error(transparent)]
    Cut(#[from] CutError),
    /// Nothing to take.
    #[error("no value of the backbone was named; a feature graph needs at least one")]
    NoTap,
    /// What would be in the file twice at once.
    #[error(
        "its input is {input}, which has no 1 or 3 channels on axis 1; export it with the channels first"
    )]
    Channels {
        /// As declared.
        input: String,
    },
}

impl FeaturePlan {
    /// What a picture must be like: bytes, as many channels as the backbone takes, in red, green, blue unless the prelude
    /// turns them.
    fn spec(&self, channels: u64) -> TensorSpec {
        TensorSpec {
            width: self.width,
            height: self.height,
            colour: if channels == 1 { ColourOrder::Grey } else { ColourOrder::Rgb },
            layout: Layout::Nhwc,
            element: Element::U8,
            fit: Fit::Stretch,
            scale: 1.0,
            mean: vec![],
            std: vec![],
        }
    }

    /// The feature graph of `backbone`.
    ///
    /// # Errors
    /// With the reason why this backbone cannot have one.
    pub fn compose(&self, backbone: &OnnxFile) -> Result<FeatureGraph, ComposeError> {
        let opset = backbone.opsets().get("").copied().unwrap_or(0);
        if !OPSETS.contains(&opset) {
            return Err(ComposeError::Opset { opset });
        }
        let inputs = backbone.inputs();
        let [input] = &inputs[..] else {
            let names = inputs.into_iter().map(|input| input.name).collect();
            return Err(CutError::Inputs { names }.into());
        };
        let channels = match input.sides().get(1) {
            Some(Side::Fixed(channels @ (1 | 3))) => *channels,
            _ => return Err(ComposeError::Channels { input: input.to_string() }),
        };
        let finest =
            self.taps.iter().map(Tap::grid).max_by_key(|grid| grid.cells()).ok_or(ComposeError::NoTap)?;
        let fixed =
            backbone.with_input_sides(&[1, channels, u64::from(self.height), u64::from(self.width)])?;
        let names: Vec<&str> = self.taps.iter().map(Tap::name).collect();
        let framed = self.prelude.compose(&fixed.cut_at(&names)?)?;
        let mut draft = Draft::of(&framed);
        draft.without_outputs();
        let mut side_by_side: Vec<String> = Vec::new();
        for tap in &self.taps {
            side_by_side.push(self.tapped(&mut draft, tap, finest));
        }
        let channels_out: usize = self.taps.iter().map(Tap::channels).sum();
        let features = match &side_by_side[..] {
            [only] => only.clone(),
            several => {
                let several: Vec<&str> = several.iter().map(String::as_str).collect();
                draft.node("Concat", &several, &[("axis", Attribute::Int(1))])
            }
        };
        let output = draft.output(&features, "features", &[1, channels_out, finest.rows, finest.columns]);
        Ok(FeatureGraph {
            file: draft.finish(),
            output,
            spec: self.spec(channels),
            grid: finest,
            channels: channels_out,
        })
    }

    /// The tap as `[1, channels, rows, columns]` of the grid `finest`.
    fn tapped(&self, draft: &mut Draft, tap: &Tap, finest: Grid) -> String {
        let (channels, grid) = (tap.channels(), tap.grid());
        let mut value = match tap {
            Tap::Stage { name, .. } => name.clone(),
            Tap::Tokens { name, first, .. } => {
                let [starts, ends, axis] = [*first, *first + grid.cells(), 1]
                    .map(|number| draft.wholes("slice", &[1], &[number as i64]));
                let patches = draft.node("Slice", &[name, &starts, &ends, &axis], &[]);
                let planes =
                    draft.node("Transpose", &[&patches], &[("perm", Attribute::Ints(vec![0, 2, 1]))]);
                reshape(draft, &planes, &[1, channels, grid.rows, grid.columns])
            }
        };
        if self.pooled {
            value = draft.node(
                "AveragePool",
                &[&value],
                &[
                    ("kernel_shape", Attribute::Ints(vec![3, 3])),
                    ("strides", Attribute::Ints(vec![1, 1])),
                    ("pads", Attribute::Ints(vec![1; 4])),
                    // At the border the mean is of the cells that are there.
                    ("count_include_pad", Attribute::Int(0)),
                ],
            );
        }
        if grid != finest {
            value = resize(draft, &value, [1, channels, finest.rows, finest.columns]);
        }
        value
    }
}
