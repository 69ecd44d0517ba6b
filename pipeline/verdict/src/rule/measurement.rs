//! What is measured in the picture is within its limits: a bore of 8 mm ± 0.05, an edge at 90 degrees.
//!
//! **Decision rule** (ISO 14253-1:2017, JCGM 106:2012, 8.3): a value v with expanded uncertainty U = 2u (k = 2) between the
//! limits L and H. The part is *proven good* where L + U ≤ v ≤ H − U, *proven bad* where v < L − U or v > H + U, and
//! nothing is proven between: the guard band. ISO 14253-1 lets the maker accept only what is proven good, which is what
//! `in_doubt = "fail"` does; its own guard band of 1.65 u is for 95 % per limit, U gives 97.7 % (ILAC-G8:09/2019, w = U).
//! `in_doubt = "pass"` is simple acceptance: what measures inside passes, and a part at its limit is as likely bad as good.

use super::{Objection, Rule};
use crate::{RuleError, RuleName, limits::Limits, seen::Scope, seen::Seen};
use plumb_inspection::{ClassName, Dimension, Measurement, Value};
use serde::{Deserialize, Serialize};

/// Objects to a measurement outside its limits, to one that is not proven to be inside, and to one that was not taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasurementRule {
    /// What the operator reads.
    pub name: RuleName,
    /// Which `[[measure]]` of the recipe.
    pub measure: String,
    /// As drawn, mm; with `tolerance_mm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nominal_mm: Option<f64>,
    /// As much more or less passes, mm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_mm: Option<f64>,
    /// Least that passes, mm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_mm: Option<f64>,
    /// Most that passes, mm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_mm: Option<f64>,
    /// Least that passes, mm².
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_mm2: Option<f64>,
    /// Most that passes, mm².
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_mm2: Option<f64>,
    /// Least that passes, degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_deg: Option<f64>,
    /// Most that passes, degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_deg: Option<f64>,
    /// Least that passes, px.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_px: Option<f64>,
    /// Most that passes, px.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_px: Option<f64>,
    /// Least that passes, px².
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_px2: Option<f64>,
    /// Most that passes, px².
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_px2: Option<f64>,
    /// What becomes of a part that measures inside by less than the uncertainty.
    #[serde(default)]
    pub in_doubt: InDoubt,
}

/// What becomes of a part that measures inside by less than the uncertainty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InDoubt {
    /// It is rejected: only what is proven good passes.
    #[default]
    Fail,
    /// It passes: the customer bears the uncertainty too.
    Pass,
}

/// The limits of one unit.
struct Stated {
    keys: &'static str,
    unit: &'static str,
    dimension: Dimension,
    in_mm: bool,
    limits: Limits<f64>,
}

const KEYS: &str = "nominal_mm and tolerance_mm, or min_ or max_ with mm, mm2, deg, px or px2";

impl MeasurementRule {
    /// What its measurement must be.
    pub fn dimension(&self) -> Dimension {
        self.stated().map_or(Dimension::Length, |stated| stated.dimension)
    }

    /// True if its limits are in mm or mm².
    pub fn wants_mm(&self) -> bool {
        self.stated().is_some_and(|stated| stated.in_mm)
    }

    /// Their unit, and the least and the most that passes; `None` without any.
    pub fn limits(&self) -> Option<(&'static str, Option<f64>, Option<f64>)> {
        self.stated().map(|Stated { unit, limits, .. }| (unit, limits.min, limits.max))
    }

    /// The limits that are given, first of those in mm; `None` without any.
    fn stated(&self) -> Option<Stated> {
        self.all().into_iter().find(|stated| !stated.limits.are_open())
    }

    fn all(&self) -> [Stated; 6] {
        let drawn = self.nominal_mm.zip(self.tolerance_mm);
        let stated = |keys, unit, dimension, in_mm, min, max| Stated {
            keys,
            unit,
            dimension,
            in_mm,
            limits: Limits { min, max },
        };
        let (length, area, angle) = (Dimension::Length, Dimension::Area, Dimension::Angle);
        // 0.3 - 0.1 is to read 0.2: limits are told to people.
        let plain = |limit: f64| (limit * 1e9).round() / 1e9;
        let (least, most) = drawn.map(|(nominal, by)| (plain(nominal - by), plain(nominal + by))).unzip();
        [
            stated("nominal_mm and tolerance_mm", "mm", length, true, least, most),
            stated("min_mm or max_mm", "mm", length, true, self.min_mm, self.max_mm),
            stated("min_mm2 or max_mm2", "mm²", area, true, self.min_mm2, self.max_mm2),
            stated("min_deg or max_deg", "deg", angle, false, self.min_deg, self.max_deg),
            stated("min_px or max_px", "px", length, false, self.min_px, self.max_px),
            stated("min_px2 or max_px2", "px²", area, false, self.min_px2, self.max_px2),
        ]
    }

    /// What it has against a measurement.
    fn doubt(&self, measurement: &Measurement) -> Option<String> {
        let Measurement { name, says, .. } = measurement;
        let stated = self.stated()?;
        let Stated { unit, limits, .. } = &stated;
        if measurement.px.is_none() {
            return Some(format!("{name} could not be measured: {says}"));
        }
        if measurement.of != stated.dimension {
            return Some(format!("{name} cannot be measured in {unit}"));
        }
        // An angle is as good in the picture as on the plane, where the px are square.
        let value = match stated.dimension {
            Dimension::Angle => measurement.mm.or(measurement.px),
            _ if stated.in_mm => measurement.mm,
            _ => measurement.px,
        };
        let Some(value) = value else {
            return Some(format!(
                "{name} cannot be measured in {unit}: the camera has no scale (uncalibrated)"
            ));
        };
        match proven(value, limits) {
            Proven::Good => None,
            Proven::Inside if self.in_doubt == InDoubt::Pass => None,
            Proven::Inside => Some(format!(
                "{name} is {value} {unit} (k=2), {limits}: inside by less than its uncertainty, which proves nothing"
            )),
            Proven::Outside => Some(format!("{name} is {value} {unit} (k=2), {limits}")),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proven {
    /// Inside, by its uncertainty or more.
    Good,
    /// Inside, by less.
    Inside,
    /// Outside, by however much.
    Outside,
}

fn proven(value: Value, limits: &Limits<f64>) -> Proven {
    let (v, expanded) = (value.value, value.expanded());
    let narrowed =
        Limits { min: limits.min.map(|min| min + expanded), max: limits.max.map(|max| max - expanded) };
    match (limits.admit(v), narrowed.admit(v)) {
        // What is not known to be a number, or how well, is proven by nothing.
        _ if !value.is_sound() => Proven::Outside,
        (true, true) => Proven::Good,
        (true, false) => Proven::Inside,
        (false, _) => Proven::Outside,
    }
}

impl Rule for MeasurementRule {
    fn name(&self) -> &RuleName {
        &self.name
    }

    /// Whoever's view it is measured in: its name is the recipe's own.
    fn scope(&self) -> Scope<'_> {
        Scope::default()
    }

    fn classes(&self) -> Vec<&ClassName> {
        Vec::new()
    }

    fn wants_mm(&self) -> bool {
        self.wants_mm()
    }

    fn problems(&self) -> Vec<RuleError> {
        let rule = || self.name.clone();
        let pair = [("nominal_mm", self.nominal_mm), ("tolerance_mm", self.tolerance_mm)];
        if let [(one, Some(_)), (other, None)] | [(other, None), (one, Some(_))] = pair {
            return vec![RuleError::Alone { rule: rule(), one, other }];
        }
        let all = self.all();
        let mut given = all.iter().filter(|stated| !stated.limits.are_open());
        let Some(first) = given.next() else {
            return vec![RuleError::NoLimit { rule: rule(), keys: KEYS }];
        };
        if let Some(second) = given.next() {
            return vec![RuleError::Either { rule: rule(), one: first.keys, other: second.keys }];
        }
        let ends = [first.limits.min, first.limits.max];
        let odd = ends.into_iter().flatten().find(|end| !end.is_finite() || *end < 0.0);
        match odd {
            Some(got) => vec![RuleError::NotASize { rule: rule(), keys: first.keys, got: got as f32 }],
            None => first.limits.problem(&self.name, first.keys).into_iter().collect(),
        }
    }

    fn opine(&self, seen: &Seen<'_, '_>) -> Option<Objection> {
        let taken = seen.views().flat_map(|view| &view.measurements).find(|taken| taken.name == self.measure);
        let says = match taken {
            Some(measurement) => self.doubt(measurement)?,
            None => format!("{} was not measured", self.measure),
        };
        Some(Objection { region: None, says })
    }
}

#[cfg(test)]
mod tests {
    use crate::rule::table::{Table, View, view};
    use plumb_inspection::{Dimension, Measurement, Value};

    fn bore(mm: Option<f64>) -> View {
        let mm = mm.map(|value| Value { value, u: 0.01 });
        let px = Value { value: 80.0, u: 0.1 };
        let mut view = view("face", &[]);
        view.findings.measurements = vec![Measurement::taken("bore", Dimension::Length, px, mm, None)];
        view
    }

    #[test]
    fn only_what_is_proven_to_be_inside_passes() {
        let drawn = Table::of("measurement", "measure = 'bore'\nnominal_mm = 8\ntolerance_mm = 0.05");
        drawn
            .passes(&bore(Some(8.0)))
            .passes(&bore(Some(8.029)))
            .passes(&bore(Some(7.971)))
            .objects(
                &bore(Some(8.031)),
                "bore is 8.031 ± 0.020 mm (k=2), 7.95 to 8.05 wanted: inside by less",
            )
            .objects(&bore(Some(7.969)), "inside by less than its uncertainty")
            .objects(&bore(Some(8.051)), "bore is 8.051 ± 0.020 mm (k=2), 7.95 to 8.05 wanted")
            .objects(&bore(Some(9.0)), "bore is 9.000 ± 0.020 mm (k=2)");
        Table::of("measurement", "measure = 'bore'\nmax_mm = 8.05\nin_doubt = 'pass'")
            .passes(&bore(Some(8.05)))
            .passes(&bore(Some(1.0)))
            .objects(&bore(Some(8.0501)), "at most 8.05 allowed");
        Table::of("measurement", "measure = 'bore'\nmin_px = 79").passes(&bore(None));
    }

    #[test]
    fn what_was_not_measured_never_passes() {
        let rule = |keys: &str| Table::of("measurement", &format!("measure = 'bore'\n{keys}"));
        rule("max_mm = 9").objects(&view("face", &[]), "bore was not measured");
        rule("max_mm = 9").objects(&bore(None), "bore cannot be measured in mm: the camera has no scale");
        rule("max_mm2 = 9").objects(&bore(Some(1.0)), "bore cannot be measured in mm²");
        let mut blind = view("face", &[]);
        let none = Measurement::none("bore", Dimension::Length, "only 3 of 64 scan lines show its edge");
        blind.findings.measurements = vec![none];
        rule("max_mm = 9").objects(&blind, "bore could not be measured: only 3 of 64");
        let mut unsure = bore(Some(8.0));
        unsure.findings.measurements[0].mm = Some(Value { value: 8.0, u: f64::NAN });
        rule("max_mm = 9").objects(&unsure, "bore is 8");
    }

    #[test]
    fn an_angle_is_judged_in_degrees_with_or_without_a_scale() {
        let mut edge = view("face", &[]);
        let px = Value { value: 90.2, u: 0.05 };
        edge.findings.measurements = vec![Measurement::taken("edge", Dimension::Angle, px, None, None)];
        Table::of("measurement", "measure = 'edge'\nmin_deg = 89.5\nmax_deg = 90.5").passes(&edge);
        Table::of("measurement", "measure = 'edge'\nmax_deg = 90.25").objects(&edge, "inside by less");
    }

    #[test]
    fn limits_that_cannot_be_meant_are_refused() {
        let refuses = |keys: &str, says: &str| {
            Table::refuses("measurement", &format!("measure = 'bore'\n{keys}"), says);
        };
        refuses("", "has no limit");
        refuses("nominal_mm = 8", "has nominal_mm without tolerance_mm");
        refuses("tolerance_mm = 8\nmin_mm = 3", "has tolerance_mm without nominal_mm");
        refuses(
            "nominal_mm = 8\ntolerance_mm = 1\nmax_mm = 9",
            "both nominal_mm and tolerance_mm and min_mm",
        );
        refuses("min_mm = 1\nmax_px = 9", "both min_mm or max_mm and min_px or max_px");
        refuses("min_mm = 2\nmax_mm = 1", "nothing can be");
        refuses("nominal_mm = 8\ntolerance_mm = -1", "nothing can be");
        refuses("max_mm = nan", "expected a number of 0 or more");
    }
}
