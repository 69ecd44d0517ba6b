//! The program of a line's PLC, one scan at a time: photo-eye, handshake, release rule, gate.
//!
//! The release rule is the one every PLC on this block must follow: matching part id, code PASS, ResultsValid, an
//! untorn block, a living heartbeat, before the gate. Everything else is a reject.

use super::{
    line_stop::{BehindTheGate, GateEyes, GateWatch, LineStop, LostWatch},
    tracking::{GateDecision, Tally, Tracking},
};
use crate::register_map::{Control, FromPlc, ToPlc, Words};
use plumb_inspection::{PartId, RecipeNumber};
use std::time::{Duration, Instant};

/// What the program is set up with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlcProgramConfig {
    /// Encoder counts from photo-eye to gate.
    pub gate_counts: u32,
    /// Encoder counts from the photo-eye within which the camera sees the part: it is announced there or never.
    pub announce_counts: u32,
    /// Parts that may wait to be announced; past that they are rejected and counted.
    pub announce_max: usize,
    /// Number of the first part.
    pub first_part: PartId,
    /// Asked for at the start.
    pub recipe: Option<RecipeNumber>,
    /// The photo-eye triggers the camera by wire: parts are counted in words 2–5 and never announced by Trigger.
    pub wired_camera: bool,
    /// Acknowledge each result, so that none is overwritten.
    pub buffer_results: bool,
    /// Station lost when its heartbeat stands still for this long.
    pub station_lost: Duration,
    /// How long Trigger is held for TriggerAck, and how long TriggerAck may take to fall.
    pub trigger_ack: Duration,
    /// How long the station may be lost before the line stops.
    pub stop_after: Duration,
    /// How many parts in a row may be rejected for a lost station before the line stops.
    pub stop_after_parts: u32,
    /// The photo-eyes behind the gate, where there are any.
    pub gate_eyes: Option<GateEyes>,
}

impl PlcProgramConfig {
    /// The figures of the design, for a gate `gate_counts` behind the photo-eye.
    pub fn new(gate_counts: u32) -> Self {
        Self {
            gate_counts,
            announce_counts: gate_counts,
            announce_max: 16,
            first_part: PartId::FIRST,
            recipe: None,
            wired_camera: false,
            buffer_results: true,
            station_lost: Duration::from_millis(300),
            trigger_ack: Duration::from_millis(250),
            stop_after: Duration::from_secs(1),
            stop_after_parts: 3,
            gate_eyes: None,
        }
    }
}

/// The PLC's inputs at one scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineInputs {
    /// Belt encoder now; wraps.
    pub encoder: u32,
    /// Encoder count at each edge of the photo-eye since the last scan, as the hardware counter latched it.
    pub photo_eye_edges: Vec<u32>,
    /// The belt moves.
    pub line_running: bool,
    /// Reject-confirm and pass-lane photo-eyes, bin, air.
    pub behind_the_gate: BehindTheGate,
}

/// How long ClearErrors is held: several cycles of any link.
const CLEAR_ERRORS: Duration = Duration::from_millis(100);

/// One scan's outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanOut {
    /// Words 0–9.
    pub words: FromPlc,
    /// Parts that came to the gate in this scan.
    pub decisions: Vec<GateDecision>,
    /// Set while the belt must stand.
    pub line_stop: Option<LineStop>,
    /// The station's heartbeat moves.
    pub station_lives: bool,
    /// The station would take a trigger now, or has just taken one.
    pub station_ready: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    Idle,
    Raised { part: PartId, since: Instant },
    Dropped { since: Instant },
}

/// The program and its memory.
#[derive(Debug)]
pub struct PlcProgram {
    config: PlcProgramConfig,
    tracking: Tracking,
    trigger: Trigger,
    words: FromPlc,
    beat_at: Option<Instant>,
    station: Option<ToPlc>,
    station_moved_at: Option<Instant>,
    station_lives: bool,
    lost: LostWatch,
    gate: GateWatch,
    /// The key was turned: since when ClearErrors is held, once a scan has seen it.
    clearing: Option<Option<Instant>>,
    answer_seen: Option<(PartId, bool)>,
    wanted: Option<RecipeNumber>,
}

impl PlcProgram {
    /// Switched on, no part on the belt.
    pub fn new(config: PlcProgramConfig) -> Self {
        let tracking = Tracking::new(config.first_part);
        let mut program = Self {
            tracking,
            trigger: Trigger::Idle,
            words: FromPlc::default(),
            beat_at: None,
            station: None,
            station_moved_at: None,
            station_lives: false,
            lost: LostWatch::new(config.stop_after, config.stop_after_parts),
            gate: GateWatch::new(config.gate_eyes),
            clearing: None,
            answer_seen: None,
            wanted: config.recipe,
            config,
        };
        program.words.recipe = program.wanted.unwrap_or(RecipeNumber(0));
        // Where the counter stands before the first part: the station then knows that one as one more.
        program.words.part = program
            .config
            .wired_camera
            .then(|| PartId::new(program.config.first_part.get().wrapping_sub(1)))
            .flatten();
        program
    }

    /// One scan: inputs and words 10–19 in, words 0–9 and the gate out.
    pub fn scan(&mut self, now: Instant, inputs: &LineInputs, station: &Words) -> ScanOut {
        for &encoder in &inputs.photo_eye_edges {
            let part = self.tracking.edge(encoder, self.config.wired_camera);
            if self.config.wired_camera {
                (self.words.part, self.words.encoder) = (Some(part), encoder);
            }
        }
        let station = self.read_station(now, station);
        // TriggerAck and a very quick answer may come in one block: the part must be tracked before it is answered.
        self.drive_trigger(now, inputs.encoder);
        self.take_answer(station);
        self.drive_recipe();
        if self.beat_at.is_none_or(|at| now.saturating_duration_since(at) >= Duration::from_millis(100)) {
            self.words.heartbeat = self.words.heartbeat.wrapping_add(1);
            self.beat_at = Some(now);
        }
        let decisions = self.tracking.at_gate(inputs.encoder, self.config.gate_counts, self.station_lives);
        self.gate.scan(inputs.encoder, self.config.gate_counts, &decisions, &inputs.behind_the_gate);
        let station_lost = !self.station_lives && inputs.line_running;
        let lost = self.lost.scan(now, station_lost, decisions.len());
        let asks = station.is_some_and(|station| station.status.line_stop_request);
        let line_stop = lost.or_else(|| self.gate.stop()).or(asks.then_some(LineStop::StationAsks));
        self.words.gate = self.gate.status();
        self.words.control = Control {
            trigger_enable: true,
            clear_errors: self.holds_clear_errors(now),
            line_running: inputs.line_running,
            buffer_results: self.config.buffer_results,
            recipe_change: self.wanted.is_some(),
            ..self.words.control
        };
        let status = self.station.map(|station| station.status).unwrap_or_default();
        ScanOut {
            words: self.words,
            decisions,
            line_stop,
            station_lives: self.station_lives,
            station_ready: self.station_lives
                && status.online
                && (status.trigger_ready || status.trigger_ack),
        }
    }

    /// Asks the station for another recipe.
    pub fn want_recipe(&mut self, recipe: RecipeNumber) {
        self.wanted = Some(recipe);
        self.words.recipe = recipe;
    }

    /// Somebody looked at the line and turned the key: what the eyes behind the gate saw is forgotten, and the
    /// station is told (ClearErrors).
    pub fn turn_key(&mut self) {
        self.gate.clear();
        self.clearing = Some(None);
    }

    /// Switched off and on: parts on the belt are forgotten, and so rejected; the numbering begins anew.
    pub fn restart(&mut self) {
        let mut tracking = std::mem::replace(&mut self.tracking, Tracking::new(self.config.first_part));
        tracking.restart(self.config.first_part);
        *self = Self { tracking, ..Self::new(self.config.clone()) };
    }

    /// What became of the parts so far.
    pub fn tally(&self) -> Tally {
        self.tracking.tally
    }

    /// Watches the station's heartbeat; gives what it says if that can be believed.
    fn read_station(&mut self, now: Instant, words: &Words) -> Option<ToPlc> {
        let read = ToPlc::decode(words).ok();
        match read {
            None => self.tracking.tally.torn_reads += 1,
            Some(station) => {
                let before = self.station.replace(station);
                // What stood in the block before the first look may be a dead station's.
                if before.is_some_and(|before| before.heartbeat != station.heartbeat) {
                    self.station_moved_at = Some(now);
                }
            }
        }
        // Also where the block is torn for ever: what cannot be read is no sign of life.
        let moved = self.station_moved_at.map(|at| now.saturating_duration_since(at));
        let lives = moved.is_some_and(|ago| ago < self.config.station_lost);
        if self.station_lives && !lives {
            self.tracking.reject_all();
        }
        self.station_lives = lives;
        read.filter(|_| lives)
    }

    fn take_answer(&mut self, station: Option<ToPlc>) {
        let answer = station.filter(|station| station.status.results_valid);
        if let Some(answer) = answer
            && let Some(part) = answer.part
        {
            let seen = Some((part, answer.status.inspection_toggle));
            let taken = self.tracking.take(&answer);
            if !taken && self.answer_seen != seen {
                self.tracking.tally.stale_answers += 1;
            }
            self.answer_seen = seen;
        }
        self.words.control.results_ack = self.config.buffer_results && answer.is_some();
    }

    fn drive_trigger(&mut self, now: Instant, encoder: u32) {
        let status = self.station.filter(|_| self.station_lives).map(|station| station.status);
        let status = status.unwrap_or_default();
        let late = |since: Instant| now.saturating_duration_since(since) >= self.config.trigger_ack;
        match self.trigger {
            Trigger::Idle if status.online && status.trigger_ready && self.wanted.is_none() => {
                let (reach, depth) = (self.config.announce_counts, self.config.announce_max);
                if let Some((part, encoder)) = self.tracking.announce(encoder, reach, depth) {
                    (self.words.part, self.words.encoder) = (Some(part), encoder);
                    self.words.control.trigger = true;
                    self.trigger = Trigger::Raised { part, since: now };
                }
            }
            Trigger::Raised { part, since } if status.trigger_ack || late(since) => {
                self.tracking.announced(part, status.trigger_ack);
                self.words.control.trigger = false;
                self.trigger = Trigger::Dropped { since: now };
            }
            Trigger::Dropped { since } if !status.trigger_ack || late(since) => {
                self.trigger = Trigger::Idle;
                // The next part need not wait for the next scan.
                if !status.trigger_ack {
                    self.drive_trigger(now, encoder);
                }
            }
            Trigger::Idle | Trigger::Raised { .. } | Trigger::Dropped { .. } => {}
        }
    }

    fn drive_recipe(&mut self) {
        if let (Some(wanted), Some(station)) = (self.wanted, self.station)
            && self.station_lives
            && station.status.online
            && station.recipe == wanted
            && !station.status.recipe_changing
        {
            self.wanted = None;
        }
    }

    fn holds_clear_errors(&mut self, now: Instant) -> bool {
        let Some(since) = &mut self.clearing else { return false };
        let held = now.saturating_duration_since(*since.get_or_insert(now));
        if held >= CLEAR_ERRORS {
            self.clearing = None;
        }
        held < CLEAR_ERRORS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        VerdictCode,
        register_map::Status,
        simulator::tracking::GateReason::{self, *},
    };
    use proptest::prelude::*;

    /// A belt of one count a millisecond, a gate 100 counts on, and a station that says what the test wants.
    struct Rig {
        program: PlcProgram,
        now: Instant,
        encoder: u32,
        beating: bool,
        torn: bool,
        station: ToPlc,
        said: FromPlc,
    }

    impl Rig {
        fn new() -> Self {
            let config = PlcProgramConfig { buffer_results: false, ..PlcProgramConfig::new(100) };
            let mut station = ToPlc::default();
            station.status.online = true;
            station.status.trigger_ready = true;
            let (now, said) = (Instant::now(), FromPlc::default());
            let encoder = u32::MAX - 1_000; // the counter wraps in many of these tests
            let mut rig = Self {
                program: PlcProgram::new(config),
                now,
                encoder,
                beating: true,
                torn: false,
                station,
                said,
            };
            rig.run(20, &[]);
            rig
        }

        /// `ms` scans of 1 ms; the first sees `edges`. The station mirrors Trigger as it should.
        fn run(&mut self, ms: u32, edges: &[u32]) -> Vec<(u32, bool, GateReason)> {
            let mut decisions = Vec::new();
            for i in 0..ms {
                self.now += Duration::from_millis(1);
                self.encoder = self.encoder.wrapping_add(1);
                if self.beating {
                    self.station.heartbeat = self.station.heartbeat.wrapping_add(1);
                }
                let photo_eye_edges = if i == 0 { edges.to_vec() } else { vec![] };
                let inputs = LineInputs {
                    encoder: self.encoder,
                    photo_eye_edges,
                    line_running: true,
                    ..LineInputs::default()
                };
                let mut words = self.station.encode();
                words[9] ^= u16::from(self.torn);
                let out = self.program.scan(self.now, &inputs, &words);
                self.said = out.words;
                self.station.status.trigger_ack = out.words.control.trigger && self.station.status.online;
                decisions.extend(out.decisions.iter().map(|d| (d.part.get(), d.release, d.why)));
            }
            decisions
        }

        fn part(&mut self) {
            let edge = self.encoder.wrapping_add(1);
            let early = self.run(10, &[edge]);
            assert_eq!(early, []);
        }

        fn say(&mut self, id: u32, code: VerdictCode) {
            self.station.status.results_valid = code != VerdictCode::None;
            (self.station.part, self.station.code) = (PartId::new(id), code);
        }
    }

    #[test]
    fn only_its_own_pass_in_time_from_a_living_station_releases_a_part() {
        type Act = fn(&mut Rig);
        let rows: [(&str, Act, bool, GateReason); 10] = [
            ("its own pass", |rig| rig.say(1, VerdictCode::Pass), true, Passed),
            ("its own fail", |rig| rig.say(1, VerdictCode::Fail), false, Failed),
            ("missed", |rig| rig.say(1, VerdictCode::Missed), false, Missed),
            ("late", |rig| rig.say(1, VerdictCode::Late), false, Late),
            ("silence", |_| {}, false, NoAnswer),
            ("another part's pass", |rig| rig.say(2, VerdictCode::Pass), false, NoAnswer),
            (
                "a pass without ResultsValid",
                |rig| {
                    rig.say(1, VerdictCode::Pass);
                    rig.station.status.results_valid = false;
                },
                false,
                NoAnswer,
            ),
            (
                "a pass after the gate",
                |rig| {
                    rig.run(96, &[]);
                    rig.say(1, VerdictCode::Pass);
                },
                false,
                NoAnswer,
            ),
            (
                "a pass after a fail",
                |rig| {
                    rig.say(1, VerdictCode::Fail);
                    rig.run(1, &[]);
                    rig.say(1, VerdictCode::Pass);
                },
                false,
                Failed,
            ),
            ("an unknown code", |rig| rig.say(1, VerdictCode::None), false, NoAnswer),
        ];
        for (what, act, release, why) in rows {
            let mut rig = Rig::new();
            let edge = rig.encoder.wrapping_add(1);
            let mut decisions = rig.run(5, &[edge]);
            let before = rig.program.tally();
            act(&mut rig);
            decisions.extend(rig.run(120, &[]));
            // The scans inside `act` may have come to the gate already.
            let tally = rig.program.tally();
            assert_eq!(tally.released - before.released, u64::from(release), "{what}");
            if let Some(decision) = decisions.first() {
                assert_eq!(*decision, (1, release, why), "{what}");
            }
        }
    }

    #[test]
    fn a_pass_from_a_station_that_has_died_since_is_worth_nothing() {
        let mut rig = Rig::new();
        rig.program.config.gate_counts = 500;
        rig.part();
        rig.say(1, VerdictCode::Pass);
        rig.run(10, &[]);
        rig.beating = false;
        let decisions = rig.run(600, &[]);
        assert_eq!(decisions, [(1, false, StationLost)]);
    }

    #[test]
    fn a_dead_stations_last_words_never_make_it_live() {
        let config = PlcProgramConfig::new(100);
        let mut program = PlcProgram::new(config);
        let mut words = ToPlc { part: PartId::new(1), code: VerdictCode::Pass, ..ToPlc::default() };
        words.status = Status { online: true, trigger_ready: true, results_valid: true, ..Status::default() };
        let now = Instant::now();
        for ms in 0..200 {
            let inputs = LineInputs {
                encoder: ms,
                photo_eye_edges: vec![],
                line_running: true,
                ..LineInputs::default()
            };
            let out = program.scan(now + Duration::from_millis(ms.into()), &inputs, &words.encode());
            assert!(!out.station_lives && !out.words.control.trigger && !out.words.control.results_ack);
        }
    }

    #[test]
    fn a_station_whose_block_is_torn_for_ever_is_lost() {
        let mut rig = Rig::new();
        rig.program.config.gate_counts = 500;
        rig.part();
        rig.say(1, VerdictCode::Pass);
        rig.run(10, &[]);
        rig.torn = true;
        assert_eq!(rig.run(600, &[]), [(1, false, StationLost)]);
    }

    #[test]
    fn parts_come_out_in_belt_order_each_with_its_own_answer() {
        let mut rig = Rig::new();
        for _ in 0..5 {
            rig.part();
        }
        for (id, code) in [(2, VerdictCode::Fail), (4, VerdictCode::Pass), (1, VerdictCode::Pass)] {
            rig.say(id, code);
            rig.run(2, &[]);
        }
        rig.say(9, VerdictCode::None);
        let decisions = rig.run(200, &[]);
        let expected = [
            (1, true, Passed),
            (2, false, Failed),
            (3, false, NoAnswer),
            (4, true, Passed),
            (5, false, NoAnswer),
        ];
        assert_eq!(decisions, expected);
    }

    #[test]
    fn edges_in_one_scan_are_announced_in_order_and_those_that_cannot_be_are_rejected() {
        let mut rig = Rig::new();
        rig.program.config.announce_max = 3;
        let at = rig.encoder;
        let edges: Vec<u32> = (0..6).map(|i| at.wrapping_add(i)).collect();
        let mut announced = Vec::new();
        rig.run(1, &edges);
        for _ in 0..30 {
            if rig.said.control.trigger && announced.last() != Some(&rig.said.part) {
                announced.push(rig.said.part);
                assert_eq!(rig.said.encoder, edges[announced.len() - 1]);
            }
            rig.run(1, &[]);
        }
        assert_eq!(announced, [1, 2, 3].map(PartId::new));
        let decisions = rig.run(200, &[]);
        assert_eq!(decisions.len(), 6);
        assert!(decisions[3..].iter().all(|d| d.2 == NotAnnounced));
        assert_eq!(rig.program.tally().not_announced, 3);
    }

    #[test]
    fn a_part_the_camera_no_longer_sees_is_not_announced() {
        let mut rig = Rig::new();
        rig.program.config.announce_counts = 10;
        rig.station.status.trigger_ready = false;
        let edge = rig.encoder.wrapping_add(1);
        rig.run(30, &[edge]);
        rig.station.status.trigger_ready = true;
        rig.run(5, &[]);
        assert!(!rig.said.control.trigger);
        assert_eq!(rig.run(100, &[]), [(1, false, NotAnnounced)]);
    }

    #[test]
    fn a_trigger_nobody_acknowledges_is_dropped_and_the_next_one_tried() {
        let mut rig = Rig::new();
        (rig.program.config.gate_counts, rig.program.config.announce_counts) = (2_000, 2_000);
        let at = rig.encoder.wrapping_add(1);
        rig.program.scan(
            rig.now,
            &LineInputs {
                encoder: at,
                photo_eye_edges: vec![at, at],
                line_running: true,
                ..LineInputs::default()
            },
            &rig.station.encode(),
        );
        let mut raised = Vec::new();
        for _ in 0..600 {
            rig.run(1, &[]);
            rig.station.status.trigger_ack = false;
            if rig.said.control.trigger {
                raised.push(rig.said.part.map(PartId::get));
            }
        }
        raised.dedup();
        assert_eq!(raised, [Some(1), Some(2)]);
        assert!(rig.run(2_000, &[]).iter().all(|d| d.2 == NotTaken));
    }

    #[test]
    fn the_line_stops_when_the_station_is_lost_for_a_second_or_for_three_parts() {
        let mut rig = Rig::new();
        rig.beating = false;
        let stop = |rig: &mut Rig, edges: Vec<u32>| {
            rig.now += Duration::from_millis(1);
            rig.encoder = rig.encoder.wrapping_add(1);
            let inputs = LineInputs {
                encoder: rig.encoder,
                photo_eye_edges: edges,
                line_running: true,
                ..LineInputs::default()
            };
            rig.program.scan(rig.now, &inputs, &rig.station.encode()).line_stop
        };
        let stopped_after = (0..3_000).position(|_| stop(&mut rig, vec![]).is_some()).unwrap();
        assert!((1_290..=1_310).contains(&stopped_after), "{stopped_after}");
        rig.beating = true;
        rig.run(5, &[]);
        assert_eq!(stop(&mut rig, vec![]), None);
        rig.beating = false;
        rig.run(400, &[]);
        let at = rig.encoder;
        let edges = (0..3).map(|i| at.wrapping_sub(100 + i)).rev().collect();
        assert_eq!(stop(&mut rig, edges), Some(LineStop::StationLost));
    }

    #[test]
    fn a_station_that_asks_for_it_stops_the_line_until_it_no_longer_does_and_the_key_clears_its_errors() {
        let mut rig = Rig::new();
        let stop = |rig: &mut Rig| {
            let inputs = LineInputs { encoder: rig.encoder, line_running: true, ..LineInputs::default() };
            rig.now += Duration::from_millis(1);
            let out = rig.program.scan(rig.now, &inputs, &rig.station.encode());
            (out.line_stop, out.words.control.clear_errors)
        };
        assert_eq!(stop(&mut rig), (None, false));
        rig.station.status.line_stop_request = true;
        assert_eq!(stop(&mut rig), (Some(LineStop::StationAsks), false));
        rig.program.turn_key();
        assert_eq!(stop(&mut rig), (Some(LineStop::StationAsks), true), "the station says when it is over");
        rig.station.status.line_stop_request = false;
        assert_eq!(stop(&mut rig), (None, true));
        rig.run(100, &[]);
        assert_eq!(stop(&mut rig), (None, false), "ClearErrors is a pulse");
    }

    #[test]
    fn a_full_bin_stops_the_line_and_stands_in_word_7() {
        let mut rig = Rig::new();
        let behind_the_gate = BehindTheGate { bin_full: true, ..BehindTheGate::default() };
        let inputs =
            LineInputs { encoder: rig.encoder, line_running: true, behind_the_gate, ..LineInputs::default() };
        let out = rig.program.scan(rig.now, &inputs, &rig.station.encode());
        assert_eq!((out.line_stop, out.words.encode()[7]), (Some(LineStop::BinFull), 0b10));
    }

    #[test]
    fn after_a_restart_the_parts_on_the_belt_are_counted_as_unjudged() {
        let mut rig = Rig::new();
        rig.part();
        rig.program.restart();
        assert_eq!(rig.run(200, &[]), []);
        let tally = rig.program.tally();
        assert_eq!((tally.edges, tally.unjudged, tally.released), (1, 1, 0));
    }

    #[test]
    fn a_recipe_is_asked_for_until_it_is_active() {
        let mut rig = Rig::new();
        rig.program.want_recipe(RecipeNumber(7));
        let edge = rig.encoder;
        rig.run(5, &[edge]);
        assert!(rig.said.control.recipe_change && rig.said.recipe == RecipeNumber(7));
        assert!(!rig.said.control.trigger, "no part is announced meanwhile");
        rig.station.recipe = RecipeNumber(7);
        rig.run(5, &[]);
        assert!(!rig.said.control.recipe_change);
    }

    proptest! {
        /// Whatever stands in the station's words, a part is released only if those words at some scan were an
        /// untorn, valid PASS with its id.
        #[test]
        fn garbage_from_the_station_releases_nothing(
            blocks in prop::collection::vec((any::<Words>(), 0..3u32, any::<bool>()), 1..300),
        ) {
            let mut program = PlcProgram::new(PlcProgramConfig::new(50));
            let (mut now, mut encoder) = (Instant::now(), 0u32);
            let mut passed = std::collections::HashSet::new();
            for (mut words, edges, sane) in blocks {
                now += Duration::from_millis(5);
                encoder += 10;
                if sane {
                    words[0] = 0b1000_0011;
                    words[2] = 0;
                    words[3] %= 8;
                    words[4] = VerdictCode::Pass.word();
                    words[9] = words[3];
                }
                if let Ok(ToPlc { status, part: Some(part), code: VerdictCode::Pass, .. }) =
                    ToPlc::decode(&words)
                    && status.results_valid
                {
                    passed.insert(part);
                }
                let photo_eye_edges = (0..edges).map(|_| encoder).collect();
                let inputs = LineInputs { encoder, photo_eye_edges, line_running: true, ..LineInputs::default() };
                for decision in program.scan(now, &inputs, &words).decisions {
                    prop_assert!(!decision.release || passed.contains(&decision.part));
                }
            }
        }
    }
}
