//! Reference detections: what a model found in stored pictures when it was known to be right, schema
//! `plumb.reference/1`.

use plumb_inspection::{Finding, Findings, RectPx};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// The whole file. Exporters' own tools may write one too: fields that are not known are passed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reference {
    /// `plumb.reference/1`.
    pub(crate) schema: String,
    /// The program that found it.
    pub(crate) made_by: String,
    /// How far apart two findings may be and still be the same.
    #[serde(default)]
    pub(crate) tolerance: Tolerance,
    /// What the program was told: thresholds, mostly. For people.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) settings: Value,
    /// One by one.
    pub(crate) pictures: Vec<Picture>,
}

/// How far apart two findings may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tolerance {
    /// Edges, corners and keypoints, in frame px.
    pub(crate) box_px: f32,
    /// Scores.
    pub(crate) score: f32,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { box_px: 1.0, score: 0.001 }
    }
}

/// One picture, and what is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Picture {
    /// Its name in its folder.
    pub(crate) file: String,
    /// Its digest, so that another picture of that name is noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    /// The raw score of the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) score: Option<f32>,
    /// Best score first.
    pub(crate) findings: Vec<Seen>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// One of the model's labels.
    pub(crate) class: String,
    /// The model's own.
    pub(crate) score: f32,
    /// Left, top, width, height in frame px; a classifier's tool gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) box_px: Option<[f32; 4]>,
    /// Its outline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) polygon_px: Option<Vec<[f32; 2]>>,
    /// x, y and perhaps a score each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keypoints_px: Option<Vec<Vec<f32>>>,
    /// Frame px² that it covers, where it has a mask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) area_px: Option<f32>,
}

impl Reference {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// With a sentence that names it.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            format!(
                "reference {} cannot be read: {error}; --write makes one from what is found now",
                path.display()
            )
        })?;
        let read: Self = serde_json::from_str(&text).map_err(|error| {
            format!("reference {} is not as plumb.reference/1 wants it: {error}", path.display())
        })?;
        if read.schema != "plumb.reference/1" {
            return Err(format!(
                "reference {} has schema {:?}; this Plumb reads plumb.reference/1",
                path.display(),
                read.schema
            ));
        }
        let Tolerance { box_px, score } = read.tolerance;
        if !(box_px >= 0.0 && score >= 0.0) {
            return Err(format!("reference {}: a tolerance must be 0 or more", path.display()));
        }
        Ok(read)
    }
}

impl Picture {
    /// What `found` is, to be kept or compared.
    pub(crate) fn of(file: &str, sha256: String, found: &Findings) -> Self {
        Self {
            file: file.to_owned(),
            sha256: Some(sha256),
            score: found.scores.first().map(|(_, _, score)| score.get()),
            findings: found.list.iter().map(Seen::of).collect(),
        }
    }

    /// With boxes cut to a picture of this width and height, as ours are. What is then empty shows nothing: some tools
    /// let boxes reach out of the picture, or turn them inside out.
    pub(crate) fn within(&self, [w, h]: [f32; 2]) -> Self {
        let whole = RectPx { x: 0.0, y: 0.0, w, h };
        let cut = |seen: &Seen| {
            let Some(box_px) = seen.box_px else { return Some(seen.clone()) };
            let box_px = RectPx::from(box_px).intersection(whole);
            (box_px.area() > 0.0).then(|| Seen { box_px: Some(box_px.into()), ..seen.clone() })
        };
        Self { findings: self.findings.iter().filter_map(cut).collect(), ..self.clone() }
    }
}

impl Seen {
    fn of(finding: &Finding) -> Self {
        let corners = |corners: &Vec<_>| corners.iter().copied().map(<[f32; 2]>::from).collect();
        let keypoints = |keypoints: &Vec<_>| {
            keypoints.iter().copied().map(|keypoint| <[f32; 3]>::from(keypoint).to_vec()).collect()
        };
        Self {
            class: finding.class.as_str().to_owned(),
            score: finding.score.get(),
            box_px: Some(finding.box_px.into()),
            polygon_px: finding.polygon_px.as_ref().map(corners),
            keypoints_px: finding.keypoints_px.as_ref().map(keypoints),
            area_px: Some(finding.area_px),
        }
    }
}
