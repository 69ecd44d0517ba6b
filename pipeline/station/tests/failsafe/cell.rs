//! One cell of the table: a fault, where it strikes, what must become of the parts, which metric names the cause, and
//! what happens when the fault ends. Running it proves each of these.

use crate::{
    books::{self, Pictures},
    rig::{House, Rig},
};
use std::{path::PathBuf, thread, time::Duration};

/// A metric that names the cause.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Names {
    /// A counter that rises while the fault lasts.
    Rises(&'static str, &'static [&'static str]),
    /// A gauge that reads so while the fault lasts.
    Reads(&'static str, &'static [&'static str], f64),
    /// A moment in time that moves by so many seconds, give or take a minute.
    Jumps(&'static str, &'static [&'static str], f64),
    /// Nothing answers a scrape, which Prometheus shows as `up` = 0.
    Silence,
}

/// What becomes of the parts that come to the gate while the fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    /// All are rejected.
    Rejected,
    /// They are judged as ever.
    Judged,
    /// Some are judged, some rejected: as the fault comes and goes.
    JudgedOrRejected,
}

/// What happens when the fault is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// The station judges again by itself, and is `running`.
    ByItself,
    /// It rejects on until somebody has said that the belt is clear.
    Rezeroed,
    /// It judges again by itself, but stays `degraded`, to tell of what was lost.
    Degraded,
    /// It is in `fault` until it is started again.
    Restart,
}

/// One row's entry in one column.
#[derive(Clone)]
pub(crate) struct Cell {
    pub(crate) fault: &'static str,
    pub(crate) stage: &'static str,
    pub(crate) house: House,
    pub(crate) breaks: fn(&mut Rig),
    pub(crate) mends: fn(&mut Rig),
    pub(crate) names: Vec<Names>,
    /// What names it once it is over: nobody can be asked before.
    pub(crate) names_after: Vec<Names>,
    /// The wire to the PLC is one that can be cut.
    pub(crate) relayed: bool,
    /// `plumb_state` while the fault lasts; "" where nobody can say.
    pub(crate) meanwhile: &'static str,
    pub(crate) parts: Parts,
    pub(crate) after: After,
    /// Parts that may be without a record in the end, because the fault took it; a metric tells of them.
    pub(crate) may_lose: Option<&'static str>,
    /// What it counted dies with it, and so does a record that was not on disk yet.
    pub(crate) forgets: bool,
    /// Where ledger and pictures go; below the rig's folder if it is relative.
    pub(crate) data: fn() -> Option<PathBuf>,
}

impl Cell {
    /// A fault of a stage in this process that ends by itself, and until then rejects all parts.
    pub(crate) fn new(
        fault: &'static str,
        stage: &'static str,
        breaks: fn(&mut Rig),
        names: Vec<Names>,
    ) -> Self {
        Self {
            fault,
            stage,
            house: House::Here,
            breaks,
            mends: |rig| rig.breaker.mend(),
            names,
            names_after: Vec::new(),
            relayed: false,
            meanwhile: "running",
            parts: Parts::Rejected,
            after: After::ByItself,
            may_lose: None,
            forgets: false,
            data: || Some("data".into()),
        }
    }

    /// Breaks, looks, mends, looks again, and compares the books. `Ok(false)`: it cannot be tried on this machine.
    pub(crate) fn prove(&self, seed: u64) -> Result<bool, String> {
        let Some(data) = (self.data)() else { return Ok(false) };
        let mut rig = Rig::new(self.house, seed, &data, self.relayed);
        // On a busy machine the very first picture may be late, and then nobody knows whose the next is.
        self.wait(&rig, "the first part", |rig| rig.belt.tally().at_gate >= 1)?;
        rig.rezero();
        self.wait(&rig, "three parts to pass before the fault", |rig| rig.belt.tally().passed >= 3)?;
        self.wait(&rig, "the station to be `running` before the fault", |rig| is_in(rig, "running"))?;

        let values =
            |rig: &Rig, names: &[Names]| names.iter().map(|names| names.value(rig)).collect::<Vec<_>>();
        let (before, before_all) = (values(&rig, &self.names), values(&rig, &self.names_after));
        (self.breaks)(&mut rig);
        for (names, before) in self.names.iter().zip(before) {
            self.wait(&rig, &format!("{names:?}"), |rig| names.holds(rig, before))?;
        }
        if !self.meanwhile.is_empty() {
            self.wait(&rig, self.meanwhile, |rig| is_in(rig, self.meanwhile))?;
        }
        self.look_at_the_gate(&rig)?;

        (self.mends)(&mut rig);
        match self.after {
            After::Restart => {
                rig.stop();
                rig.start();
            }
            After::Rezeroed => {
                self.look_at_the_gate(&rig)?;
                rig.rezero();
            }
            After::ByItself | After::Degraded => {}
        }
        let passed = rig.belt.tally().passed;
        self.wait(&rig, "two parts to pass after the fault", |rig| rig.belt.tally().passed >= passed + 2)?;
        for (names, before) in self.names_after.iter().zip(before_all) {
            self.wait(&rig, &format!("{names:?}"), |rig| names.holds(rig, before))?;
        }
        let state = if self.after == After::Degraded { "degraded" } else { "running" };
        self.wait(&rig, &format!("the station to be `{state}` after the fault"), |rig| is_in(rig, state))?;
        self.close(rig)
    }

    /// The next three parts come to the gate while the fault lasts.
    fn look_at_the_gate(&self, rig: &Rig) -> Result<(), String> {
        // Those that were answered before the fault may still pass.
        let begun = rig.belt.tally().begun;
        self.wait(rig, "the parts of before the fault to be gone", |rig| rig.belt.tally().at_gate > begun)?;
        let before = rig.belt.tally();
        self.wait(rig, "three parts at the gate", |rig| rig.belt.tally().at_gate >= before.at_gate + 3)?;
        if self.parts == Parts::Judged {
            self.wait(rig, "a part that passes", |rig| rig.belt.tally().passed > before.passed)?;
        }
        let passed = rig.belt.tally().passed - before.passed;
        match self.parts {
            Parts::Rejected if passed > 0 => Err(format!("{passed} parts passed while the fault lasted")),
            _ => Ok(()),
        }
    }

    fn close(&self, mut rig: Rig) -> Result<bool, String> {
        rig.belt.line().stop_feeding();
        self.wait(&rig, "the belt to be empty", |rig| rig.belt.line().is_empty())?;
        self.wait(&rig, "an answer for each trigger", |rig| {
            let value = |name| rig.metric(name, &[]);
            self.after == After::Restart || value("plumb_triggers_total") == value("plumb_records_total")
        })?;
        let lost = self.may_lose.map_or(0.0, |name| rig.metric(name, &[]).unwrap_or(0.0)) as u64;
        rig.stop();
        let mut wrong = books::wrong(&rig.belt, &rig.data, self.pictures(), lost);
        let [triggers, answers, records] = rig.counted();
        let kept = books::records(&rig.data);
        let all_is_told = (triggers, answers, records) == (kept, kept, kept);
        if self.may_lose.is_none() && !self.forgets && !all_is_told {
            wrong.push(format!("{triggers} triggers, {answers} answers, {records} records, {kept} kept"));
        }
        if wrong.is_empty() { Ok(true) } else { Err(wrong.join("\n    ")) }
    }

    fn pictures(&self) -> Pictures {
        match (self.house, self.after) {
            (House::Here, After::ByItself | After::Degraded | After::Rezeroed) => Pictures::Told,
            _ => Pictures::Unknown, // another process; or another start, which counts its pictures anew
        }
    }

    fn wait(&self, rig: &Rig, what: &str, done: impl FnMut(&Rig) -> bool) -> Result<(), String> {
        if rig.until(done) {
            return Ok(());
        }
        let (tally, plc) = (rig.belt.tally(), rig.plc.tally());
        let told = rig.metrics();
        let told: Vec<&str> =
            told.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0")).collect();
        let told: Vec<&str> = told.into_iter().filter(|line| !line.contains("_bucket")).collect();
        Err(format!("waited in vain for {what}\n    {tally:?}\n    {plc:?}\n    {}", told.join("\n    ")))
    }
}

impl Names {
    fn value(self, rig: &Rig) -> f64 {
        match self {
            Self::Rises(name, labels) | Self::Reads(name, labels, _) | Self::Jumps(name, labels, _) => {
                rig.metric(name, labels).unwrap_or(f64::NAN)
            }
            Self::Silence => 0.0,
        }
    }

    fn holds(self, rig: &Rig, before: f64) -> bool {
        match self {
            Self::Rises(..) => self.value(rig) > before,
            Self::Reads(_, _, wanted) => self.value(rig) == wanted,
            Self::Jumps(_, _, by) => (self.value(rig) - before - by).abs() < 60.0,
            Self::Silence => rig.metrics().is_empty(),
        }
    }
}

fn is_in(rig: &Rig, state: &str) -> bool {
    rig.metric("plumb_state", &[&format!("state=\"{state}\"")]) == Some(1.0)
}

/// For faults that are to last, and whose end nothing on the line tells.
pub(crate) fn lasts(seconds: f64) {
    thread::sleep(Duration::from_secs_f64(seconds));
}
