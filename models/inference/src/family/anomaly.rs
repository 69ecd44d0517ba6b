//! Anomaly: a map of how odd every pixel is, and how odd the whole is. Each hot piece is a finding.

use super::{Family, Look};
use crate::class_map::{ClassMap, PieceScore, Pixel};
use crate::error::ModelError;
use crate::number::NotNegative;
use crate::output::Output;
use plumb_inspection::Findings;
use serde::{Deserialize, Serialize};

/// A model with a map `[1, 1, h, w]` or `[1, h, w]`, and perhaps a score of one number. The numbers may have any
/// scale; Anomalib's have theirs so that 0.5 is the operating point. The card's one label names the findings; `anomaly`
/// is a good one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnomalyConfig {
    /// Name of the output that is the map; not needed where it is Anomalib's `anomaly_map`, or where one output alone
    /// has a map's shape.
    #[serde(default)]
    pub map: Option<String>,
    /// Name of the output that is the score of the whole; not needed where it is Anomalib's `pred_score`, or where one
    /// output alone is a single number. Without any, the score is the highest of the map.
    #[serde(default)]
    pub score: Option<String>,
    /// A pixel from here on is part of a finding.
    pub map_min: NotNegative,
    /// A piece smaller than this many frame px² is no finding.
    #[serde(default)]
    pub area_min_px: NotNegative,
}

/// A finding's score is the highest of its pixels.
#[derive(Debug)]
pub(crate) struct Anomaly {
    config: AnomalyConfig,
    map: ClassMap,
    /// One row of it.
    pixels: Vec<Pixel>,
}

impl Anomaly {
    pub(crate) fn new(config: AnomalyConfig) -> Self {
        Self { config, map: ClassMap::default(), pixels: Vec::new() }
    }

    /// The map with its height and width, and the score of the whole.
    fn parts<'o>(
        &self,
        outputs: &'o [Output<'o>],
        look: &Look<'_>,
    ) -> Result<(&'o Output<'o>, [usize; 2], Option<f32>), ModelError> {
        let map_sides = |output: &Output<'_>| match *output.shape {
            [1, 1, height, width] | [1, height, width] if height * width > 1 => Some([height, width]),
            _ => None,
        };
        let named = |name: &Option<String>, anomalibs: &str, fits: &dyn Fn(&Output<'_>) -> bool| {
            let mut fitting = outputs.iter().filter(|output| fits(output));
            match name {
                Some(name) => fitting.find(|output| output.name == name),
                None => match outputs.iter().find(|output| output.name == anomalibs && fits(output)) {
                    Some(output) => Some(output),
                    None => fitting.next().filter(|_| fitting.next().is_none()),
                },
            }
        };
        let map = named(&self.config.map, "anomaly_map", &|output| map_sides(output).is_some());
        let score = named(&self.config.score, "pred_score", &|output| output.values.len() == 1);
        let score_is_missing = self.config.score.is_some() && score.is_none();
        match map.and_then(|map| Some((map, map_sides(map)?))) {
            Some((map, sides)) if !score_is_missing => Ok((map, sides, score.map(|score| score.values[0]))),
            _ => Err(look.unreadable(
                "an anomaly model",
                "a map [1, 1, h, w] and perhaps a score of one number; where several outputs could be it, `map` and \
                 `score` name them",
                outputs,
            )),
        }
    }
}

impl Family for Anomaly {
    fn check(&self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<(), ModelError> {
        self.parts(outputs, look)?;
        look.check_labels(1)
    }

    fn read(&mut self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<Findings, ModelError> {
        let (output, [height, width], score) = self.parts(outputs, look)?;
        self.map.clear(width, height);
        let (columns, rows) = self.map.shown(look);
        let mut hottest = f32::MIN;
        let map_min = self.config.map_min.get();
        for row in rows {
            let heats = &output.values[row * width + columns.start..row * width + columns.end];
            let most = heats.iter().copied().fold(f32::MIN, f32::max);
            hottest = hottest.max(most);
            // Most rows of a good part are cold.
            if most >= map_min {
                self.pixels.clear();
                self.pixels.extend(heats.iter().map(|heat| (*heat >= map_min).then_some((0, *heat))));
                self.map.row(row, columns.start, &self.pixels);
            }
        }
        let list = self.map.findings(look, self.config.area_min_px.get(), PieceScore::Max)?;
        look.findings(list, score.unwrap_or(hottest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::tests::look_at;

    fn config(map: Option<&str>, score: Option<&str>) -> Anomaly {
        let owned = |name: Option<&str>| name.map(ToOwned::to_owned);
        let map_min = NotNegative::new(1.0).unwrap();
        Anomaly::new(AnomalyConfig {
            map: owned(map),
            score: owned(score),
            map_min,
            area_min_px: Default::default(),
        })
    }

    fn output<'a>(name: &'a str, shape: &[usize], value: f32) -> Output<'a> {
        Output {
            name,
            shape: shape.to_vec(),
            values: vec![value; shape.iter().product()].into(),
            whole: false,
        }
    }

    #[test]
    fn anomalibs_four_outputs_are_told_apart_by_their_names() {
        let outputs = [
            output("pred_label", &[1], 1.0),
            output("pred_mask", &[1, 1, 4, 4], 1.0),
            output("pred_score", &[1, 1], 0.75),
            output("anomaly_map", &[1, 1, 4, 4], 0.5),
        ];
        look_at(&["anomaly"], 4, 4, |look| {
            let mut family = config(None, None);
            family.config.map_min = NotNegative::new(0.5).unwrap();
            family.check(&outputs, look).unwrap();
            let found = family.read(&outputs, look).unwrap();
            assert_eq!((found.list[0].score.get(), found.scores[0].2.get()), (0.5, 0.75));
            assert_eq!(found.list[0].area_px, 16.0);
        });
    }

    #[test]
    fn among_several_maps_the_named_one_is_read_and_none_is_guessed() {
        let outputs = [
            output("a", &[1, 1, 4, 4], 2.0),
            output("b", &[1, 4, 4], 0.5),
            output("s", &[1], 7.0),
            output("l", &[1], 1.0),
        ];
        look_at(&["anomaly"], 4, 4, |look| {
            assert!(matches!(config(None, Some("s")).check(&outputs, look), Err(ModelError::Output { .. })));
            assert!(matches!(
                config(Some("a"), Some("x")).check(&outputs, look),
                Err(ModelError::Output { .. })
            ));
            let found = config(Some("a"), Some("s")).read(&outputs, look).unwrap();
            assert_eq!((found.list.len(), found.scores[0].2.get()), (1, 7.0));
            let found = config(Some("b"), None).read(&outputs, look).unwrap();
            assert_eq!(
                (found.list.len(), found.scores[0].2.get()),
                (0, 0.5),
                "two scores, none named: the map's best"
            );
        });
    }
}
