//! Segmenter: a class for every pixel. Each piece of one class is a finding with its outline.

use super::{Activation, Family, Look, half};
use crate::class_map::{ClassMap, PieceScore, Pixel};
use crate::error::ModelError;
use crate::number::{Fraction, NotNegative};
use crate::output::Output;
use plumb_inspection::Findings;
use serde::{Deserialize, Serialize};

/// A model with one output: scores `[1, classes, h, w]`, or a ready map `[1, h, w]` of class numbers (`[1, 1, h, w]`
/// too, where it holds whole numbers). The map may be coarser or finer than the input. `labels` name every channel
/// (class number), the background's too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmenterConfig {
    /// Name of the output that is read; not needed where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// From the scores to probabilities; a ready map has none, its findings score 1.
    #[serde(default)]
    pub activation: Activation,
    /// The class that is nothing. A model with a single channel has no such class: what is below `score_min` is
    /// nothing.
    #[serde(default)]
    pub background: Option<u16>,
    /// A pixel whose best class is less probable is nothing.
    #[serde(default = "half")]
    pub score_min: Fraction,
    /// A piece smaller than this many frame px² is no finding.
    #[serde(default)]
    pub area_min_px: NotNegative,
}

/// A finding's score is the mean probability of its pixels; the raw score of the region is the highest probability of
/// any pixel and class that is not background.
#[derive(Debug)]
pub(crate) struct Segmenter {
    config: SegmenterConfig,
    map: ClassMap,
    /// Best score of each pixel of a row.
    best: Vec<f32>,
    /// What they make of it.
    pixels: Vec<Pixel>,
}

/// How the one output is laid out.
enum Shape {
    Scores { classes: usize, height: usize, width: usize },
    Classes { height: usize, width: usize },
}

impl Segmenter {
    pub(crate) fn new(config: SegmenterConfig) -> Self {
        Self { config, map: ClassMap::default(), best: Vec::new(), pixels: Vec::new() }
    }

    fn shape<'o>(
        &self,
        outputs: &'o [Output<'o>],
        look: &Look<'_>,
    ) -> Result<(&'o Output<'o>, Shape), ModelError> {
        let only = || outputs.first().filter(|_| outputs.len() == 1);
        let output = match &self.config.map {
            Some(name) => outputs.iter().find(|output| output.name == name),
            None => only(),
        };
        if let Some(output) = output {
            match *output.shape {
                [1, 1, height, width] if output.whole && height * width > 0 => {
                    return Ok((output, Shape::Classes { height, width }));
                }
                [1, classes, height, width] if classes * height * width > 0 => {
                    return Ok((output, Shape::Scores { classes, height, width }));
                }
                [1, height, width] if height * width > 0 => {
                    return Ok((output, Shape::Classes { height, width }));
                }
                _ => {}
            }
        }
        Err(look.unreadable(
            "a segmenter",
            "one output [1, classes, h, w], or [1, h, w] of class numbers; among several, `map` names it",
            outputs,
        ))
    }

    fn read_scores(
        &mut self,
        values: &[f32],
        (classes, height, width): (usize, usize, usize),
        look: &Look<'_>,
    ) -> f32 {
        let plane = height * width;
        let (columns, rows) = self.map.shown(look);
        let background = self.config.background.filter(|_| classes > 1);
        let mut raw = 0.0_f32;
        for row in rows {
            // Class by class along the row, as it lies in memory, several numbers at a time.
            let span = row * width + columns.start..row * width + columns.end;
            self.best.clear();
            self.best.extend_from_slice(&values[span.clone()]);
            for of_class in values.chunks_exact(plane).skip(1) {
                for (best, score) in self.best.iter_mut().zip(&of_class[span.clone()]) {
                    *best = if *score > *best { *score } else { *best };
                }
            }
            // Most of a good part is background, and exp is what costs: it is left out there.
            let nothing = background.map(|background| {
                let first = usize::from(background) * plane;
                &values[first + span.start..first + span.end]
            });
            let is_something = |i: usize| nothing.is_none_or(|nothing| nothing[i] < self.best[i]);
            let Some(from) = (0..span.len()).find(|i| is_something(*i)) else { continue };
            let to = (from..span.len()).rfind(|i| is_something(*i)).map_or(from, |last| last + 1);
            self.pixels.clear();
            for i in from..to {
                if !is_something(i) {
                    self.pixels.push(None);
                    continue;
                }
                let best = self.best[i];
                let scores = || values[span.start + i..].iter().step_by(plane).copied();
                let class = scores().position(|score| score == best).unwrap_or(0);
                let probability = self.config.activation.probability(scores(), best);
                raw = raw.max(probability);
                let sure = probability >= self.config.score_min.get();
                self.pixels.push(sure.then_some((class as u16, probability)));
            }
            self.map.row(row, columns.start + from, &self.pixels);
        }
        raw
    }

    fn read_classes(&mut self, values: &[f32], width: usize, look: &Look<'_>) -> Result<f32, ModelError> {
        let (columns, rows) = self.map.shown(look);
        let mut raw = 0.0;
        for row in rows {
            self.pixels.clear();
            for class in &values[row * width + columns.start..row * width + columns.end] {
                if self.config.background.is_some_and(|background| *class == f32::from(background)) {
                    self.pixels.push(None);
                    continue;
                }
                if !(*class >= 0.0 && (*class as usize) < look.labels.len()) {
                    return Err(look.unknown_class(*class as i64));
                }
                raw = 1.0;
                self.pixels.push(Some((*class as u16, 1.0)));
            }
            self.map.row(row, columns.start, &self.pixels);
        }
        Ok(raw)
    }
}

impl Family for Segmenter {
    fn check(&self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<(), ModelError> {
        let (_, shape) = self.shape(outputs, look)?;
        let classes = match shape {
            Shape::Scores { classes, .. } => classes,
            Shape::Classes { .. } => look.labels.len(),
        };
        if let Some(background) = self.config.background
            && usize::from(background) >= classes
        {
            return Err(look.unknown_class(i64::from(background)));
        }
        look.check_labels(classes)
    }

    fn read(&mut self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<Findings, ModelError> {
        let (output, shape) = self.shape(outputs, look)?;
        let raw = match shape {
            Shape::Scores { classes, height, width } => {
                self.map.clear(width, height);
                self.read_scores(&output.values, (classes, height, width), look)
            }
            Shape::Classes { height, width } => {
                self.map.clear(width, height);
                self.read_classes(&output.values, width, look)?
            }
        };
        let list = self.map.findings(look, self.config.area_min_px.get(), PieceScore::Mean)?;
        look.findings(list, raw)
    }
}
