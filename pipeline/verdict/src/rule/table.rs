//! What the tables of cases beside each rule are written in.

use crate::{Judge, RuleConfig, measure};
use plumb_inspection::{CameraId, Finding, Findings, MmPerPx, RectPx, Score};

/// Findings of one view, seen by the model `detector`.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(crate) findings: Findings,
}

/// A region that was examined, with what was found there: class, score, box `[x, y, w, h]`.
pub(crate) fn view(region: &str, found: &[(&str, f32, [i32; 4])]) -> View {
    let mut findings = Findings::default();
    for (class, score, box_px) in found {
        let box_px = RectPx::from(box_px.map(|v| v as f32));
        findings.list.push(Finding {
            class: (*class).into(),
            score: Score::new(*score).unwrap(),
            box_px,
            polygon_px: None,
            keypoints_px: None,
            area_px: box_px.area(),
            length_mm: None,
            area_mm2: None,
            region: region.into(),
            model: "detector".into(),
        });
    }
    let top = found.iter().fold(0.0, |top: f32, (_, score, _)| top.max(*score));
    View { findings }.scored("detector", region, top)
}

impl View {
    /// The same view, where another model or region gave that score as a whole.
    pub(crate) fn scored(mut self, model: &str, region: &str, score: f32) -> Self {
        self.findings.scores.push((model.into(), region.into(), Score::new(score).unwrap()));
        self
    }

    /// Another region of the same view.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.findings.append(other.findings);
        self
    }

    /// The same view by a camera with a scale.
    pub(crate) fn measured(&self, mm_per_px: f64) -> Self {
        let mut view = self.clone();
        measure(&mut view.findings, Some(MmPerPx { x: mm_per_px, y: mm_per_px }));
        view
    }
}

/// A rule of its own, called `the-rule`.
pub(crate) struct Table {
    toml: String,
    judge: Judge,
}

impl Table {
    pub(crate) fn of(kind: &str, keys: &str) -> Self {
        let toml = format!("name = 'the-rule'\nkind = '{kind}'\n{keys}");
        let rule: RuleConfig = toml::from_str(&toml).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(rule.kind(), kind);
        let judge = Judge::new(vec![rule]).unwrap_or_else(|errors| panic!("{errors:?}"));
        Self { toml, judge }
    }

    pub(crate) fn refuses(kind: &str, keys: &str, says: &str) {
        let toml = format!("name = 'the-rule'\nkind = '{kind}'\n{keys}");
        let rule: RuleConfig = toml::from_str(&toml).unwrap_or_else(|error| panic!("{error}"));
        let errors = Judge::new(vec![rule]).expect_err(&toml);
        assert!(errors[0].to_string().contains(says), "{toml}\n{errors:?}");
    }

    pub(crate) fn passes(&self, view: &View) -> &Self {
        assert_eq!(self.says(view), None, "{}\n{view:#?}", self.toml);
        self
    }

    pub(crate) fn objects(&self, view: &View, says: &str) -> &Self {
        let objection = self.says(view).unwrap_or_else(|| panic!("no objection\n{}\n{view:#?}", self.toml));
        assert!(objection.contains(says), "{objection:?} lacks {says:?}\n{}", self.toml);
        self
    }

    fn says(&self, view: &View) -> Option<String> {
        let verdict = self.judge.judge(&[(CameraId::from("top"), &view.findings)]);
        verdict.reasons.into_iter().next().map(|reason| reason.says)
    }
}
