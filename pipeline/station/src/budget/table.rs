//! One recipe's budget: a row for each step from trigger to gate, and what is left.

use super::{Taken, taken::Spread};
use crate::config::{CameraPlan, Gate, RecipePlan};
use plumb_capture::SourceConfig;
use plumb_inspection::{Lap, RecipeName};
use serde::Serialize;
use serde_json::{Value, json};
use std::{fmt, time::Duration};

/// What happens between trigger and gate, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The shutter is open.
    Exposure,
    /// From the shutter to the station's memory, and the trigger's own way.
    Transfer,
    /// Regions are cut and scaled.
    Preprocess,
    /// Models run.
    Infer,
    /// Rules are asked, other views waited for.
    Verdict,
    /// The answer is written to the PLC.
    Wire,
    /// The PLC sees it and acts: two of its cycles.
    PlcScans,
    /// The gate moves.
    Valve,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 8] = [
        Self::Exposure,
        Self::Transfer,
        Self::Preprocess,
        Self::Infer,
        Self::Verdict,
        Self::Wire,
        Self::PlcScans,
        Self::Valve,
    ];

    /// The spelling used in tables and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exposure => "exposure",
            Self::Transfer => "transfer",
            Self::Preprocess => "preprocess",
            Self::Infer => "infer",
            Self::Verdict => "verdict",
            Self::Wire => "wire",
            Self::PlcScans => "plc_scans",
            Self::Valve => "valve",
        }
    }

    /// True for what happens before the answer goes out: the recipe's deadline is for these.
    fn is_ours(self) -> bool {
        !matches!(self, Self::Wire | Self::PlcScans | Self::Valve)
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Exposure => "shorten the exposure, with more light",
            Self::Transfer => "read out fewer lines of the camera, or use a faster link",
            Self::Preprocess => "look at smaller regions",
            Self::Infer => "use a smaller model or a faster device",
            Self::Verdict => "look at why views wait for each other",
            Self::Wire => "use a faster link to the PLC, or local outputs",
            Self::PlcScans => "shorten the PLC's cycle (plc_scan_ms)",
            Self::Valve => "use a faster valve (valve_ms)",
        }
    }
}

/// Where a row's figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The config says so.
    Stated,
    /// What nobody said or measured yet is reckoned with.
    Assumed,
    /// Parts took so long: half of them less than the first figure, 99 % (999 ‰ of writes) less than the second.
    Measured {
        /// How many.
        parts: usize,
    },
    /// The models took so long when they were loaded.
    WarmUp,
    /// Nobody knows yet.
    NotMeasured,
}

/// One step's share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub step: Step,
    /// What it usually takes, and at its worst.
    pub takes: Option<Spread>,
    /// Says who.
    pub from: Source,
}

/// The whole way of one recipe's part.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Whose.
    pub recipe: RecipeName,
    /// From trigger to gate.
    pub time_to_gate: Duration,
    /// Within which the station answers.
    pub deadline: Duration,
    /// One for each [`Step`], in order.
    pub rows: [Row; Step::ALL.len()],
    gate: Gate,
    /// Trigger to verdict as a whole, where it was measured: less than the sum of its steps at their worst.
    decision: Option<Spread>,
}

/// Why a budget cannot be met, and what to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Impossible {
    /// The row to change first.
    pub step: Step,
    /// In a sentence.
    pub says: String,
}

impl Budget {
    /// From what the config says and what parts took.
    pub fn new(recipe: &RecipePlan, gate: &Gate, cameras: &[CameraPlan], taken: &Taken) -> Self {
        let row = |step| Row { step, takes: None, from: Source::NotMeasured };
        let mut budget = Self {
            recipe: recipe.name.clone(),
            time_to_gate: gate.time_to_gate(),
            deadline: recipe.deadline,
            rows: Step::ALL.map(row),
            gate: *gate,
            decision: taken.decision(),
        };
        let measured = Source::Measured { parts: taken.parts };
        let exposure = longest_exposure(recipe, cameras);
        budget.fill(Step::Exposure, exposure.map(|time| (time, time)), Source::Stated);
        let transfer = taken.lap(Lap::Capture).map(|(usual, worst)| {
            let exposure = exposure.unwrap_or_default();
            (usual.saturating_sub(exposure), worst.saturating_sub(exposure))
        });
        budget.fill(Step::Transfer, transfer, measured);
        for (step, lap) in
            [(Step::Preprocess, Lap::Preprocess), (Step::Infer, Lap::Infer), (Step::Verdict, Lap::Verdict)]
        {
            budget.fill(step, taken.lap(lap), measured);
        }
        let stated = |time: Duration| Some((time, time));
        let reckoned = if gate.wire_is_measured { Source::Assumed } else { Source::Stated };
        budget.fill(Step::Wire, stated(gate.wire), reckoned);
        if gate.wire_is_measured {
            budget.fill(Step::Wire, taken.lap(Lap::Plc), measured);
        }
        budget.fill(Step::PlcScans, stated(2 * gate.plc_scan), Source::Stated);
        budget.fill(Step::Valve, stated(gate.valve), Source::Stated);
        budget
    }

    /// The models took this long when they were loaded; what parts took counts for more.
    pub fn warmed_up(mut self, models_take: Duration) -> Self {
        if self.row(Step::Infer).takes.is_none() {
            self.fill(Step::Infer, Some((models_take, models_take)), Source::WarmUp);
        }
        self
    }

    /// What is left in µs, usually and at the worst of each known row; negative where nothing is.
    pub fn margin_us(&self) -> (i64, i64) {
        let left = |pick: fn(Spread) -> Duration| {
            let ours = match self.decision {
                Some(decision) => pick(decision),
                None => self.sum(|step| step.is_ours(), pick),
            };
            let all = ours + self.sum(|step| !step.is_ours(), pick);
            signed_us(self.time_to_gate) - signed_us(all)
        };
        (left(|spread| spread.0), left(|spread| spread.1))
    }

    /// Why it cannot be met, if so. What is not measured yet is not held against it.
    pub fn impossible(&self) -> Option<Impossible> {
        let usual = |spread: Spread| spread.0;
        let behind = self.gate.behind_the_wire() + self.gate.wire;
        let (to_gate, deadline) = (ms(self.time_to_gate), ms(self.deadline));
        if behind >= self.time_to_gate {
            let step = self.biggest(|step| !step.is_ours());
            let says = format!(
                "the gate is {to_gate} after the trigger, and wire, PLC and valve alone take {}; {}, or slow the \
                 belt down or move the gate",
                ms(behind),
                step.advice()
            );
            return Some(Impossible { step, says });
        }
        let allowed = self.time_to_gate - behind;
        if self.deadline > allowed {
            let step = self.biggest(|step| !step.is_ours());
            let says = format!(
                "recipe \"{}\" may answer {deadline} after the trigger, but wire, PLC and valve leave {} of the {to_gate} \
                 to the gate; set its deadline_ms to that at most or leave it out, or {}",
                self.recipe,
                ms(allowed),
                step.advice()
            );
            return Some(Impossible { step, says });
        }
        let ours = self.sum(Step::is_ours, usual);
        (ours >= self.deadline).then(|| {
            let step = self.biggest(Step::is_ours);
            let says = format!(
                "recipe \"{}\" must answer within {deadline}, but what is known of its steps takes {} already; {}",
                self.recipe,
                ms(ours),
                step.advice()
            );
            Impossible { step, says }
        })
    }

    /// One step's row.
    pub fn row(&self, step: Step) -> &Row {
        &self.rows[step as usize]
    }

    /// Schema `plumb.budget/1`.
    pub fn json(&self) -> Value {
        let as_ms = |time: Duration| time.as_secs_f64() * 1e3;
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "step": row.step,
                    "usual_ms": row.takes.map(|takes| as_ms(takes.0)),
                    "worst_ms": row.takes.map(|takes| as_ms(takes.1)),
                    "from": row.from,
                })
            })
            .collect();
        let (usual, worst) = self.margin_us();
        json!({
            "schema": "plumb.budget/1",
            "recipe": self.recipe,
            "time_to_gate_ms": as_ms(self.time_to_gate),
            "deadline_ms": as_ms(self.deadline),
            "rows": rows,
            "margin_usual_ms": usual as f64 / 1e3,
            "margin_worst_ms": worst as f64 / 1e3,
            "impossible": self.impossible(),
        })
    }

    fn fill(&mut self, step: Step, takes: Option<Spread>, from: Source) {
        if takes.is_some() {
            self.rows[step as usize] = Row { step, takes, from };
        }
    }

    fn sum(&self, of: impl Fn(Step) -> bool, pick: impl Fn(Spread) -> Duration) -> Duration {
        self.rows.iter().filter(|row| of(row.step)).filter_map(|row| row.takes.map(&pick)).sum()
    }

    fn biggest(&self, of: impl Fn(Step) -> bool) -> Step {
        let rows = self.rows.iter().filter(|row| of(row.step));
        rows.max_by_key(|row| row.takes).map_or(Step::Infer, |row| row.step)
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "budget of recipe \"{}\": the gate is {} after the trigger ({} mm at {:.0} mm/s), the answer is due after {}",
            self.recipe,
            ms(self.time_to_gate),
            self.gate.distance_mm,
            self.gate.speed_mm_s,
            ms(self.deadline)
        )?;
        writeln!(f, "  {:<12}{:>12}{:>12}", "", "usual", "worst")?;
        for row in &self.rows {
            let time = |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), ms);
            let (usual, worst) = (row.takes.map(|takes| takes.0), row.takes.map(|takes| takes.1));
            let from = match row.from {
                Source::Stated => "stated".to_owned(),
                Source::Assumed => "assumed until it is measured".to_owned(),
                Source::Measured { parts } => format!("measured, {parts} parts"),
                Source::WarmUp => "warm-up".to_owned(),
                Source::NotMeasured => "not measured".to_owned(),
            };
            writeln!(f, "  {:<12}{:>12}{:>12}   {from}", row.step.as_str(), time(usual), time(worst))?;
        }
        let (usual, worst) = self.margin_us();
        let left = |us: i64| format!("{:.1} ms", us as f64 / 1e3);
        write!(f, "  {:<12}{:>12}{:>12}", "margin", left(usual), left(worst))
    }
}

/// Of the cameras that the recipe looks through, where the config says it.
fn longest_exposure(recipe: &RecipePlan, cameras: &[CameraPlan]) -> Option<Duration> {
    let wanted = recipe.cameras();
    let looking = cameras.iter().filter(|camera| wanted.contains(&camera.id));
    let exposures = looking.filter_map(|camera| match &camera.source {
        SourceConfig::Gige(gige) => gige.exposure_us,
        _ => None,
    });
    let us = exposures.filter(|us| us.is_finite() && *us >= 0.0).max_by(f64::total_cmp)?;
    Some(Duration::from_secs_f64(us.min(1e9) / 1e6))
}

fn signed_us(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
