//! What the config says of the line: `[plc]`, `[[mirror]]`, `[gate]` and `[tracking]`, checked against each other.

use super::{
    document::Document,
    file::TriggerSection,
    gate::{Gate, GateSection},
    problem::Problems,
};
use plumb_plc::{Place, PlcConfig};
use serde::Deserialize;
use std::{path::Path, time::Duration};

/// Links beside the gate's.
pub const MIRRORS_MAX: usize = 64;

/// `[[mirror]]`: a further link that is shown what the gate's is shown. What becomes of it never changes anything at
/// the gate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MirrorSection {
    /// Its name in metrics and logs.
    pub name: String,
    /// How it is reached: the keys of `[plc]`.
    pub link: PlcConfig,
    /// Its triggers begin parts, as the gate's do. Otherwise it never sees TriggerReady.
    #[serde(default)]
    pub triggers: bool,
    /// What the station makes of it when it is down.
    #[serde(default)]
    pub when_down: WhenDown,
}

/// What the station makes of a mirror that is down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenDown {
    /// It is `degraded`.
    #[default]
    Degrade,
    /// Nothing; metrics and log say so.
    Ignore,
}

/// `[tracking]`: what else counts the parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TrackingSection {
    /// The photo-eye triggers the camera by wire, and the PLC counts its edges in words 2–5: each picture is one of
    /// those counts, and is answered under the PLC's number.
    plc_counts: bool,
    /// How far a count and its picture may be apart; half the time between two parts where `[gate]` knows it.
    pair_within_ms: Option<f64>,
}

/// The line, as the station knows it: see the fields of the same names of [`super::Plan`].
pub(super) struct LineSide {
    pub(super) plc: PlcConfig,
    pub(super) mirrors: Vec<MirrorSection>,
    pub(super) gate: Option<Gate>,
    pub(super) pair_within: Option<Duration>,
}

impl LineSide {
    /// Reads the four tables; what is wrong goes to `problems`.
    pub(super) fn read(
        document: &Document,
        folder: &Path,
        trigger: Option<&TriggerSection>,
        problems: &mut Problems,
    ) -> Self {
        let plc: Option<PlcConfig> = optional(document, "plc", problems);
        let plc = plc.map(|plc| plc.relative_to(folder));
        let mut mirrors = mirrors(document, plc.as_ref(), problems);
        for mirror in &mut mirrors {
            mirror.link = mirror.link.clone().relative_to(folder);
            for says in mirror.link.file_problems() {
                problems.push(document.problem(&["mirror"], format!("mirror \"{}\": {says}", mirror.name)));
            }
        }
        if matches!(&plc, Some(PlcConfig::OpcUa(opc_ua)) if !opc_ua.is_acknowledged()) {
            let says = "is what the gate hangs on, and nobody acknowledges single variables; give it to_plc and from_plc, or \
                        make it the link of a [[mirror]]";
            problems.push(document.problem(&["plc", "single"], says));
        }
        for says in plc.iter().flat_map(|plc| plc.problems().into_iter().chain(plc.file_problems())) {
            problems.push(document.problem(&["plc"], says));
        }
        let gate = optional::<GateSection>(document, "gate", problems).and_then(|section| {
            section
                .resolve()
                .map_err(|told| {
                    for (key, says) in told {
                        problems.push(document.problem(&["gate", key], says));
                    }
                })
                .ok()
        });
        let tracking: TrackingSection = optional(document, "tracking", problems).unwrap_or_default();
        let plc = plc.unwrap_or_default();
        let pair_within = pair_within(document, tracking, trigger, &plc, gate, problems);
        Self { plc, mirrors, gate, pair_within }
    }
}

fn optional<T: serde::de::DeserializeOwned>(
    document: &Document,
    section: &str,
    problems: &mut Problems,
) -> Option<T> {
    document.has(&[section]).then(|| document.take(&[section], problems)).flatten()
}

/// Every `[[mirror]]`; two links must share neither name nor registers.
fn mirrors(document: &Document, gate: Option<&PlcConfig>, problems: &mut Problems) -> Vec<MirrorSection> {
    let count = document.len_of(&["mirror"]);
    if count > MIRRORS_MAX {
        let says = format!("there are {count} mirrors; there can be {MIRRORS_MAX}");
        problems.push(document.problem(&["mirror", &MIRRORS_MAX.to_string()], says));
    }
    let gate_name = gate.map(PlcConfig::kind).filter(|kind| *kind != "none");
    let mut mirrors: Vec<(String, MirrorSection)> = Vec::new();
    for index in (0..count).map(|index| index.to_string()) {
        let Some(mirror) = document.take::<MirrorSection>(&["mirror", &index], problems) else { continue };
        let name_says = if !is_name(&mirror.name) {
            Some(format!("a link's name is 1 to 40 of a-z, 0-9, - and _, not {:?}", mirror.name))
        } else if gate_name == Some(mirror.name.as_str()) {
            Some(format!("the gate's own link is called \"{}\" in metrics and logs", mirror.name))
        } else if mirrors.iter().any(|(_, other)| other.name == mirror.name) {
            Some(format!("a second mirror is called \"{}\"", mirror.name))
        } else {
            None
        };
        if let Some(says) = name_says {
            problems.push(document.problem(&["mirror", &index, "name"], says));
        }
        let link = ["mirror", &index, "link"];
        if mirror.link == PlcConfig::None {
            problems.push(document.problem(&link, "a mirror without a PLC shows nothing to anybody"));
        }
        for says in mirror.link.problems() {
            problems.push(document.problem(&link, says));
        }
        let others = gate.map(|gate| ("the gate's link".to_owned(), gate));
        let mut others = others
            .into_iter()
            .chain(mirrors.iter().map(|(_, other)| (format!("mirror \"{}\"", other.name), &other.link)));
        if let Some((whose, place)) =
            others.find_map(|(whose, other)| Some((whose, shared(&mirror.link, other)?)))
        {
            let says = format!("writes where {whose} writes: {place}");
            let hint = "give each link words of its own, or leave this mirror out";
            problems.push(document.problem(&link, says).hint(hint));
        }
        mirrors.push((index, mirror));
    }
    mirrors.into_iter().map(|(_, mirror)| mirror).collect()
}

/// What two links both write or read, if anything.
fn shared(one: &PlcConfig, other: &PlcConfig) -> Option<Place> {
    let others = other.places();
    one.places().iter().find_map(|place| others.iter().find_map(|other| place.overlap(other)))
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    (1..=40).contains(&name.len()) && name.chars().all(fits)
}

fn pair_within(
    document: &Document,
    tracking: TrackingSection,
    trigger: Option<&TriggerSection>,
    plc: &PlcConfig,
    gate: Option<Gate>,
    problems: &mut Problems,
) -> Option<Duration> {
    if !tracking.plc_counts {
        return None;
    }
    let route = ["tracking", "plc_counts"];
    if !matches!(trigger, Some(TriggerSection::Frame { .. }) | None) {
        let says = "the PLC's counts are paired with pictures that begin a part by themselves";
        problems.push(
            document.problem(&route, says).hint("set [trigger] kind = \"frame\", or leave plc_counts out"),
        );
    }
    if *plc == PlcConfig::None {
        problems.push(
            document.problem(&route, "the PLC is to count, but there is no PLC").hint("add a [plc] section"),
        );
    }
    let between = gate.and_then(|gate| gate.time_between_parts());
    let within = match tracking.pair_within_ms {
        Some(ms) if !(1.0..=10_000.0).contains(&ms) => {
            let says = format!("pair_within_ms is {ms}; it can be 1 to 10000");
            problems.push(document.problem(&["tracking", "pair_within_ms"], says));
            return None;
        }
        Some(ms) => Some(Duration::from_secs_f64(ms / 1e3)),
        None => between.map(|between| between / 2),
    };
    match (within, between) {
        (None, _) => {
            let says = "how far a count and its picture may be apart is not known";
            let hint = "add pair_within_ms here, or pitch_mm in [gate]";
            problems.push(document.problem(&route, says).hint(hint));
        }
        (Some(within), Some(between)) if within >= between => {
            let says = format!(
                "pair_within_ms is {}, but a part comes every {} ms: a picture could be taken for its neighbour's",
                within.as_millis(),
                between.as_millis()
            );
            problems.push(document.problem(&["tracking", "pair_within_ms"], says));
        }
        _ => {}
    }
    within
}
