//! Which findings a rule is asked about, and whether anybody looked there at all.

use crate::{Look, Zone, limits::Limits, rule::Objection};
use plumb_inspection::{CameraId, ClassName, Finding, Findings, ModelName, RegionName, Score};
use std::collections::BTreeMap;

/// Where a rule looks. What is `None` narrows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scope<'r> {
    pub(crate) camera: Option<&'r CameraId>,
    pub(crate) model: Option<&'r ModelName>,
    pub(crate) region: Option<&'r RegionName>,
    pub(crate) zone: Option<&'r Zone>,
}

impl Scope<'_> {
    pub(crate) fn covers(&self, look: &Look) -> bool {
        self.camera.is_none_or(|camera| *camera == look.camera) && self.takes(&look.model, &look.region)
    }

    fn takes(&self, model: &ModelName, region: &RegionName) -> bool {
        self.region.is_none_or(|wanted| wanted == region) && self.model.is_none_or(|wanted| wanted == model)
    }

    /// ` in "face"`, ` in a zone of "face" by "surface" of camera "top"`, or nothing.
    pub(crate) fn place(&self) -> String {
        let mut place = String::new();
        match (self.zone, self.region) {
            (Some(_), Some(region)) => place += &format!(" in a zone of \"{region}\""),
            (Some(_), None) => place += " in a zone",
            (None, Some(region)) => place += &format!(" in \"{region}\""),
            (None, None) => {}
        }
        if let Some(model) = self.model {
            place += &format!(" by \"{model}\"");
        }
        if let Some(camera) = self.camera {
            place += &format!(" of camera \"{camera}\"");
        }
        place
    }
}

fn name_of(class: Option<&ClassName>) -> &str {
    class.map_or("finding", ClassName::as_str)
}

/// The views of one part, through the eyes of one rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'r, 'v> {
    pub(crate) scope: Scope<'r>,
    views: &'v [(CameraId, &'v Findings)],
}

impl<'r, 'v> Seen<'r, 'v> {
    pub(crate) fn new(scope: Scope<'r>, views: &'v [(CameraId, &'v Findings)]) -> Self {
        Self { scope, views }
    }

    /// The views the rule looks at.
    pub(crate) fn views(self) -> impl Iterator<Item = &'v Findings> {
        let camera = self.scope.camera;
        self.views
            .iter()
            .filter(move |(id, _)| camera.is_none_or(|wanted| wanted == id))
            .map(|(_, view)| *view)
    }

    /// What the rule is asked about in all its views: of that class (or of any), from that score up.
    pub(crate) fn findings(
        self,
        class: Option<&'r ClassName>,
        score_min: Score,
    ) -> impl Iterator<Item = &'v Finding> {
        self.views().flat_map(move |view| self.findings_of(view, class, score_min))
    }

    /// The same in one of its views.
    pub(crate) fn findings_of(
        self,
        view: &'v Findings,
        class: Option<&'r ClassName>,
        score_min: Score,
    ) -> impl Iterator<Item = &'v Finding> {
        view.list.iter().filter(move |finding| {
            finding.score >= score_min
                && class.is_none_or(|wanted| *wanted == finding.class)
                && self.scope.takes(&finding.model, &finding.region)
                && self.is_in_zone(finding)
        })
    }

    /// The same views without the rule's zone.
    pub(crate) fn without_zone(&self) -> Self {
        Self { scope: Scope { zone: None, ..self.scope }, views: self.views }
    }

    pub(crate) fn is_in_zone(&self, finding: &Finding) -> bool {
        self.scope.zone.is_none_or(|zone| zone.contains(finding.box_px.centre()))
    }

    /// The raw scores of the regions it looks at, as wholes.
    pub(crate) fn region_scores(self) -> impl Iterator<Item = (&'v RegionName, Score)> {
        let scope = self.scope;
        self.views().flat_map(move |view| {
            view.scores
                .iter()
                .filter(move |(model, region, _)| scope.takes(model, region))
                .map(|(_, region, score)| (region, *score))
        })
    }

    /// The score of the finding before which `n` better ones lie, of that class (or of any); 0 where there are not so
    /// many.
    pub(crate) fn nth_score(self, class: Option<&'r ClassName>, n: usize) -> f64 {
        let any = Score::new(f32::MIN).expect("finite");
        let mut scores: Vec<f32> = self.findings(class, any).map(|finding| finding.score.get()).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores.get(n).map_or(0.0, |score| f64::from(*score))
    }

    /// Objects to a number of findings outside `limits`.
    pub(crate) fn objection_to_number(
        &self,
        class: Option<&'r ClassName>,
        score_min: Score,
        limits: Limits<u32>,
    ) -> Option<Objection> {
        let (mut got, mut first) = (0, None);
        for finding in self.findings(class, score_min) {
            first = first.or(Some(finding));
            got += 1;
        }
        (!limits.admit(got)).then(|| Objection {
            region: first.map(|finding| finding.region.clone()),
            says: format!("{}{}, {limits}", self.counted(class, score_min), self.scope.place()),
        })
    }

    /// `2 × scratch, 1 × dent`: each class that was found, or the one asked for.
    fn counted(&self, class: Option<&'r ClassName>, score_min: Score) -> String {
        let mut counts: BTreeMap<&ClassName, u32> = BTreeMap::new();
        for finding in self.findings(class, score_min) {
            *counts.entry(&finding.class).or_default() += 1;
        }
        if counts.is_empty() {
            return format!("0 × {}", name_of(class));
        }
        counts.iter().map(|(class, count)| format!("{count} × {class}")).collect::<Vec<_>>().join(", ")
    }

    /// Objects to sizes outside `limits`, to one that was not measured, and to none where there is a lower limit.
    pub(crate) fn objection_to_sizes(
        &self,
        class: Option<&'r ClassName>,
        sizes: impl Iterator<Item = (&'v Finding, Option<f32>)>,
        limits: Limits<f32>,
        unit: &str,
    ) -> Option<Objection> {
        let (mut measured, mut wrong, mut worst) = (0, 0, None::<(&Finding, f32)>);
        for (finding, size) in sizes {
            let Some(size) = size else { return Some(self.unmeasured(finding, unit)) };
            measured += 1;
            if !limits.admit(size) {
                wrong += 1;
                worst = match worst {
                    Some((_, before)) if limits.excess(before) >= limits.excess(size) => worst,
                    _ => Some((finding, size)),
                };
            }
        }
        let (what, place) = (name_of(class), self.scope.place());
        match worst {
            Some((finding, size)) => Some(Objection {
                region: Some(finding.region.clone()),
                says: format!(
                    "{wrong} of {measured} × {what}{place} out of limits, the worst {size:.3} {unit}, {limits}"
                ),
            }),
            None if measured == 0 && limits.min.is_some() => Some(Objection {
                region: None,
                says: format!("no {what}{place} to measure in {unit}, {limits}"),
            }),
            None => None,
        }
    }

    /// Objects to a sum of sizes outside `limits`, and to one that was not measured.
    pub(crate) fn objection_to_sum(
        &self,
        class: Option<&'r ClassName>,
        sizes: impl Iterator<Item = (&'v Finding, Option<f32>)>,
        limits: Limits<f32>,
        unit: &str,
    ) -> Option<Objection> {
        let (mut sum, mut largest) = (0.0, None::<(&Finding, f32)>);
        for (finding, size) in sizes {
            let Some(size) = size else { return Some(self.unmeasured(finding, unit)) };
            sum += size;
            largest = largest.filter(|(_, before)| *before >= size).or(Some((finding, size)));
        }
        (!limits.admit(sum)).then(|| Objection {
            region: largest.map(|(finding, _)| finding.region.clone()),
            says: format!("{}{} covers {sum:.3} {unit} in all, {limits}", name_of(class), self.scope.place()),
        })
    }

    fn unmeasured(&self, finding: &Finding, unit: &str) -> Objection {
        let says = format!(
            "{}{} cannot be measured in {unit}: the camera has no scale (uncalibrated)",
            finding.class,
            self.scope.place()
        );
        Objection { region: Some(finding.region.clone()), says }
    }

    /// Why the rule's question was not really asked, if it was not: finding nothing where nobody looked is no pass.
    ///
    /// With `owed` (what of the recipe's looks this rule covers) each of them must have been taken. Without, the best
    /// that can be known: the named region was examined in some view, or every view has been examined somewhere.
    pub(crate) fn unexamined(&self, owed: &[Look]) -> Option<String> {
        let missing = owed.iter().find(|look| {
            !self.views.iter().any(|(camera, view)| {
                *camera == look.camera
                    && view
                        .scores
                        .iter()
                        .any(|(model, region, _)| *model == look.model && *region == look.region)
            })
        });
        if let Some(Look { camera, region, model }) = missing {
            return Some(format!("\"{region}\" of camera \"{camera}\" was not examined by \"{model}\""));
        }
        let examined =
            |view: &Findings| view.scores.iter().any(|(model, region, _)| self.scope.takes(model, region));
        let asked = match self.scope.region {
            Some(_) => self.views().any(examined),
            None => self.views().next().is_some() && self.views().all(examined),
        };
        (!asked).then(|| format!("nothing was examined{}", self.scope.place()))
    }
}
