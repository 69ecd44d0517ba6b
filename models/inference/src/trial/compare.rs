//! Whether a model that runs in another way still finds the same, picture by picture.

use plumb_inspection::{Finding, Findings};
use serde::Serialize;

/// Two findings of one class are the same from this overlap on: intersection over union of their boxes, or the smaller
/// of their areas over the larger, whichever is less. A rule on a length then sees at most a tenth of a side less.
pub const OVERLAP_MIN: f32 = 0.8;

/// Changes kept with their words; beyond it they are only counted.
const CHANGES_KEPT: usize = 20;

/// What became of the reference's findings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Pictures compared.
    pub pictures: usize,
    /// Findings of the reference in them.
    pub findings: usize,
    /// The largest difference between the scores of one finding, and between the raw scores of one picture.
    pub score_difference_max: f32,
    /// The smallest overlap of a finding with itself, 0..=1.
    pub overlap_min: f32,
    /// Whatever could change a verdict.
    pub changes: usize,
    /// The first of them.
    pub says: Vec<Change>,
}

/// One thing that is not the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Where.
    pub picture: String,
    /// `cap 0.43 at 102,58 24x20 is gone`.
    pub says: String,
}

impl Default for Comparison {
    fn default() -> Self {
        Self {
            pictures: 0,
            findings: 0,
            score_difference_max: 0.0,
            overlap_min: 1.0,
            changes: 0,
            says: Vec::new(),
        }
    }
}

impl Comparison {
    /// True if no verdict can have changed: the same findings, on the same side of every threshold.
    pub fn same(&self) -> bool {
        self.changes == 0
    }

    /// Takes up one picture: what the reference saw in it, and what `other` sees.
    ///
    /// Findings below the card's own thresholds are in neither; `thresholds` are those of rules, which a score must
    /// not cross either.
    pub fn add(&mut self, picture: &str, reference: &Findings, other: &Findings, thresholds: &[f32]) {
        self.pictures += 1;
        self.findings += reference.list.len();
        let mut left: Vec<&Finding> = other.list.iter().collect();
        let mut lost = Vec::new();
        for finding in &reference.list {
            let overlaps = left.iter().enumerate().filter(|(_, seen)| seen.class == finding.class);
            let best = overlaps
                .map(|(at, seen)| (at, overlap(finding, seen)))
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .filter(|(_, overlap)| *overlap >= OVERLAP_MIN);
            match best {
                None => lost.push(finding),
                Some((at, overlap)) => {
                    let seen = left.swap_remove(at);
                    self.overlap_min = self.overlap_min.min(overlap);
                    self.scores(picture, &told(finding), finding.score.get(), seen.score.get(), thresholds);
                }
            }
        }
        for finding in lost {
            let near = |seen: &&Finding| seen.box_px.iou(finding.box_px) >= 0.5;
            let says = match left.iter().position(near).map(|at| left.swap_remove(at)) {
                None => format!("{} is gone", told(finding)),
                Some(seen) => format!("{} became {}", told(finding), told(seen)),
            };
            self.change(picture, says);
        }
        for seen in left {
            self.change(picture, format!("{} is new", told(seen)));
        }
        for ((_, region, before), (_, _, now)) in reference.scores.iter().zip(&other.scores) {
            let what = format!("the raw score of {region}");
            self.scores(picture, &what, before.get(), now.get(), thresholds);
        }
    }

    fn scores(&mut self, picture: &str, what: &str, before: f32, now: f32, thresholds: &[f32]) {
        self.score_difference_max = self.score_difference_max.max((before - now).abs());
        if let Some(threshold) = thresholds.iter().find(|t| (before >= **t) != (now >= **t)) {
            self.change(picture, format!("{what} was {before:.3} and is {now:.3}, across {threshold}"));
        }
    }

    fn change(&mut self, picture: &str, says: String) {
        self.changes += 1;
        if self.says.len() < CHANGES_KEPT {
            self.says.push(Change { picture: picture.to_owned(), says });
        }
    }
}

fn overlap(a: &Finding, b: &Finding) -> f32 {
    let areas = a.area_px.min(b.area_px) / a.area_px.max(b.area_px);
    a.box_px.iou(b.box_px).min(if areas.is_nan() { 1.0 } else { areas })
}

fn told(finding: &Finding) -> String {
    let [x, y, w, h] = <[f32; 4]>::from(finding.box_px);
    format!("{} {:.3} at {x:.0},{y:.0} {w:.0}x{h:.0}", finding.class, finding.score.get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::{RectPx, Score};

    fn finding(class: &str, score: f32, box_px: [f32; 4]) -> Finding {
        let box_px = RectPx::from(box_px);
        Finding {
            class: class.into(),
            score: Score::new(score).unwrap(),
            box_px,
            polygon_px: None,
            keypoints_px: None,
            area_px: box_px.area(),
            length_mm: None,
            area_mm2: None,
            region: "whole".into(),
            model: "m".into(),
        }
    }

    fn seen(list: Vec<Finding>) -> Findings {
        let raw = list.iter().map(|finding| finding.score.get()).fold(0.0, f32::max);
        Findings {
            list,
            scores: vec![("m".into(), "whole".into(), Score::new(raw).unwrap())],
            ..Findings::default()
        }
    }

    fn compared(other: Vec<Finding>, thresholds: &[f32]) -> Comparison {
        let reference = seen(vec![
            finding("bottle", 0.9, [0.0, 0.0, 100.0, 200.0]),
            finding("cap", 0.5, [40.0, 0.0, 20.0, 10.0]),
        ]);
        let mut comparison = Comparison::default();
        comparison.add("07.png", &reference, &seen(other), thresholds);
        comparison
    }

    #[test]
    fn findings_that_moved_a_little_and_lie_in_another_order_are_the_same() {
        let other = vec![
            finding("cap", 0.55, [40.0, 0.0, 20.0, 9.0]),
            finding("bottle", 0.88, [1.0, 0.0, 100.0, 200.0]),
        ];
        let comparison = compared(other, &[0.25, 0.6]);
        assert!(comparison.same(), "{comparison:?}");
        assert_eq!((comparison.pictures, comparison.findings), (1, 2));
        assert!((comparison.score_difference_max - 0.05).abs() < 1e-6);
        assert!((comparison.overlap_min - 0.9).abs() < 1e-6);
    }

    #[test]
    fn whatever_could_change_a_verdict_is_told_with_its_picture() {
        let bottle = || finding("bottle", 0.9, [0.0, 0.0, 100.0, 200.0]);
        let cap = |score| finding("cap", score, [40.0, 0.0, 20.0, 10.0]);
        let rows = [
            (vec![bottle()], "cap 0.500 at 40,0 20x10 is gone"),
            (
                vec![bottle(), cap(0.5), finding("cap", 0.3, [0.0, 50.0, 9.0, 9.0])],
                "cap 0.300 at 0,50 9x9 is new",
            ),
            (
                vec![bottle(), finding("bottle", 0.4, [41.0, 0.0, 20.0, 10.0])],
                "cap 0.500 at 40,0 20x10 became bottle 0.400",
            ),
            (vec![bottle(), finding("cap", 0.5, [45.0, 0.0, 20.0, 10.0])], "became cap 0.500 at 45,0"),
            (vec![bottle(), cap(0.45)], "was 0.500 and is 0.450, across 0.5"),
        ];
        for (other, says) in rows {
            let comparison = compared(other, &[0.5]);
            assert!(!comparison.same());
            assert_eq!(comparison.says[0].picture, "07.png");
            assert!(comparison.says[0].says.contains(says), "{says}: {comparison:?}");
        }
    }

    #[test]
    fn of_many_changes_only_the_first_are_kept_in_words() {
        let noise = (0..500).map(|i| finding("cap", 0.3, [i as f32 * 30.0, 300.0, 9.0, 9.0])).collect();
        let comparison = compared(noise, &[]);
        assert_eq!((comparison.changes, comparison.says.len()), (502, CHANGES_KEPT));
    }

    #[test]
    fn nothing_found_by_either_is_the_same() {
        let mut comparison = Comparison::default();
        comparison.add("a", &Findings::default(), &Findings::default(), &[0.5]);
        assert!(comparison.same() && comparison.overlap_min == 1.0);
    }
}
