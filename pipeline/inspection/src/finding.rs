//! What was seen in a view, in frame px.

use crate::{Alignment, ClassName, Measurement, ModelName, PointPx, RectPx, RegionName};
use serde::{Deserialize, Serialize};

/// A model's own score: always a number; 0..=1 for probabilities, any size ≥ 0 for anomaly distances.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Score(f32);

impl Score {
    /// # Errors
    /// For NaN and infinities: a model that gives one has failed, and its part is `Missed`.
    pub fn new(score: f32) -> Result<Self, ScoreError> {
        if score.is_finite() { Ok(Self(score)) } else { Err(ScoreError { score }) }
    }

    /// The number.
    pub fn get(self) -> f32 {
        self.0
    }
}

impl TryFrom<f32> for Score {
    type Error = ScoreError;
    fn try_from(score: f32) -> Result<Self, ScoreError> {
        Self::new(score)
    }
}

impl From<Score> for f32 {
    fn from(score: Score) -> f32 {
        score.0
    }
}

/// A score that is no number.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("the model gave the score {score}, which is not a finite number")]
pub struct ScoreError {
    /// NaN or an infinity.
    pub score: f32,
}

/// One thing a model saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is: one of the model's labels.
    pub class: ClassName,
    /// How sure the model is, before any threshold of the recipe.
    pub score: Score,
    /// Around it, in frame px.
    pub box_px: RectPx,
    /// Its outline in frame px, where the model gives masks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polygon_px: Option<Vec<PointPx>>,
    /// Its keypoints in the model's order, where the model gives some; each inside the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keypoints_px: Option<Vec<KeypointPx>>,
    /// How much of the frame it covers, in px².
    pub area_px: f32,
    /// Its longest side in mm, where the camera has a scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_mm: Option<f32>,
    /// Its area in mm², where the camera has a scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area_mm2: Option<f32>,
    /// The region looked at.
    pub region: RegionName,
    /// Who saw it.
    #[serde(skip, default = "nobody")]
    pub model: ModelName,
}

fn nobody() -> ModelName {
    ModelName::from("")
}

/// A named place on a thing, in frame px: written `[x, y, score]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f32; 3]", into = "[f32; 3]")]
pub struct KeypointPx {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
    /// How sure the model is of this one, mostly 0..=1; 1 where it does not say.
    pub score: f32,
}

impl From<[f32; 3]> for KeypointPx {
    fn from([x, y, score]: [f32; 3]) -> Self {
        Self { x, y, score }
    }
}
impl From<KeypointPx> for [f32; 3] {
    fn from(p: KeypointPx) -> Self {
        [p.x, p.y, p.score]
    }
}

/// All that was seen and measured in one view of one part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// Every finding, best score first within a model and region.
    pub list: Vec<Finding>,
    /// Each model's raw score of each region as a whole: the top score of a detector or classifier, an anomaly
    /// model's image score.
    pub scores: Vec<(ModelName, RegionName, Score)>,
    /// Where the part was found in this view, or that it was not; `None` where it is not searched.
    pub alignment: Option<Alignment>,
    /// What was measured in the picture itself, in the order of the recipe.
    pub measurements: Vec<Measurement>,
}

impl Findings {
    /// Takes up what another model or region gave.
    pub fn append(&mut self, mut other: Self) {
        self.list.append(&mut other.list);
        self.scores.append(&mut other.scores);
        self.alignment = self.alignment.or(other.alignment);
        self.measurements.append(&mut other.measurements);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_a_number_or_an_error() {
        assert!(Score::new(f32::NAN).is_err() && Score::new(f32::INFINITY).is_err());
        assert_eq!(Score::new(3.5).map(Score::get), Ok(3.5));
    }

    #[test]
    fn a_finding_reads_as_the_record_says() {
        let mut finding = Finding {
            class: "scratch".into(),
            score: Score::new(0.5).expect("finite"),
            box_px: RectPx::from([1.0, 2.0, 3.0, 4.0]),
            polygon_px: None,
            keypoints_px: None,
            area_px: 12.0,
            length_mm: None,
            area_mm2: None,
            region: "face".into(),
            model: "surface".into(),
        };
        let json = serde_json::to_string(&finding).expect("plain data");
        assert_eq!(
            json,
            r#"{"class":"scratch","score":0.5,"box_px":[1.0,2.0,3.0,4.0],"area_px":12.0,"region":"face"}"#
        );
        finding.keypoints_px = Some(vec![[1.5, 2.5, 0.75].into()]);
        let json = serde_json::to_string(&finding).expect("plain data");
        assert!(json.contains(r#""keypoints_px":[[1.5,2.5,0.75]]"#), "{json}");
        let read: Finding = serde_json::from_str(&json).expect("what was written");
        assert_eq!(read.keypoints_px, finding.keypoints_px);
    }
}
