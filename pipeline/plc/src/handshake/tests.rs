use super::*;
use crate::{VerdictCode, register_map::tests::any_from_plc};
use proptest::prelude::*;
use std::collections::HashMap;

pub(super) fn part(id: u32) -> PartId {
    PartId::new(id).unwrap()
}

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn answer(now: Instant, id: u32, code: VerdictCode, in_ms: u64) -> Answer {
    let (reason, decision, recipe) = (0, ms(12), RecipeNumber(1));
    Answer { part: part(id), code, reason, decision, recipe, deadline: now + ms(in_ms) }
}

/// A PLC that says `said` and takes every block.
pub(super) struct Bench {
    pub(super) now: Instant,
    pub(super) shake: Handshake,
    pub(super) said: FromPlc,
}

impl Bench {
    pub(super) fn connected() -> Self {
        let now = Instant::now();
        let mut shake = Handshake::new(now, Timing::default());
        shake.set_ready(true);
        shake.set_state(StationState { online: true, recipe: RecipeNumber(1), ..StationState::default() });
        shake.connected("test");
        let control = Control { trigger_enable: true, ..Control::default() };
        let mut bench = Self { now, shake, said: FromPlc { control, ..FromPlc::default() } };
        bench.exchange();
        bench.exchange();
        bench.events();
        bench
    }

    /// One client exchange a millisecond later, heartbeat alive.
    pub(super) fn exchange(&mut self) -> ToPlc {
        self.now += ms(1);
        self.said.heartbeat = self.said.heartbeat.wrapping_add(1);
        let block = self.shake.outgoing(self.now);
        self.shake.delivered(self.now, &block);
        self.shake.incoming(self.now, &self.said);
        block
    }

    pub(super) fn after(&mut self, wait_ms: u64) -> ToPlc {
        for _ in 1..wait_ms {
            self.exchange();
        }
        self.exchange()
    }

    pub(super) fn trigger(&mut self, id: u32) {
        self.said.control.trigger = true;
        self.said.part = PartId::new(id);
        self.exchange();
        self.said.control.trigger = false;
        self.exchange();
    }

    pub(super) fn events(&mut self) -> Vec<PlcEvent> {
        std::iter::from_fn(|| self.shake.next_event()).collect()
    }
}

#[test]
fn a_part_goes_through_trigger_exposure_and_result() {
    let mut bench = Bench::connected();
    assert!(bench.exchange().status.trigger_ready);
    bench.said.control.trigger = true;
    (bench.said.part, bench.said.encoder) = (PartId::new(7), 1_234);
    bench.exchange();
    let since = bench.now - ms(1);
    assert_eq!(bench.events(), [PlcEvent::TriggerRequested { part: Some(part(7)), encoder: 1_234, since }]);
    let status = bench.exchange().status;
    assert!(status.trigger_ack && !status.trigger_ready && status.busy);
    bench.shake.exposing(bench.now);
    assert!(bench.exchange().status.exposing);
    bench.shake.exposure_complete();
    bench.said.control.trigger = false;
    bench.exchange();
    let status = bench.exchange().status;
    assert!(status.exposure_complete && !status.exposing && !status.trigger_ack && status.trigger_ready);

    bench.shake.answer(bench.now, answer(bench.now, 7, VerdictCode::Pass, 100));
    let block = bench.exchange();
    assert!(block.status.results_valid && !block.status.busy);
    assert_eq!((block.part, block.code), (Some(part(7)), VerdictCode::Pass));
    assert_eq!((block.decision_us, block.recipe), (12_000, RecipeNumber(1)));
    let took = ms(1);
    assert_eq!(bench.events(), [PlcEvent::AnswerDelivered { part: part(7), code: VerdictCode::Pass, took }]);
}

#[test]
fn buffered_results_stay_until_acknowledged_and_come_in_order() {
    let mut bench = Bench::connected();
    bench.said.control.buffer_results = true;
    bench.exchange();
    for id in [1, 2] {
        bench.shake.answer(bench.now, answer(bench.now, id, VerdictCode::Pass, 900));
    }
    for _ in 0..5 {
        assert_eq!(bench.exchange().part, Some(part(1)), "frozen");
    }
    bench.said.control.results_ack = true;
    bench.exchange();
    for _ in 0..5 {
        let block = bench.exchange();
        assert!(!block.status.results_valid && block.code == VerdictCode::None, "ack is still up");
    }
    bench.said.control.results_ack = false;
    bench.exchange();
    let toggle = bench.exchange().status.inspection_toggle;
    let block = bench.exchange();
    assert_eq!((block.part, block.status.inspection_toggle), (Some(part(2)), toggle));
}

#[test]
fn unbuffered_the_newest_overwrites_but_each_is_written_once() {
    let mut bench = Bench::connected();
    for id in 1..=3 {
        bench.shake.answer(bench.now, answer(bench.now, id, VerdictCode::Fail, 900));
    }
    let seen: Vec<_> = (0..4).map(|_| bench.exchange().part.map(PartId::get)).collect();
    assert_eq!(seen, [Some(1), Some(2), Some(3), Some(3)]);
}

#[test]
fn a_stuck_results_ack_acknowledges_nothing_and_stops_nothing() {
    let mut bench = Bench::connected();
    bench.said.control.buffer_results = true;
    bench.said.control.results_ack = true;
    bench.exchange();
    for id in 1..=2 {
        bench.shake.answer(bench.now, answer(bench.now, id, VerdictCode::Pass, 10_000));
    }
    assert_eq!(bench.after(900).part, Some(part(1)));
    let shown: Vec<_> = (0..3_000).filter_map(|_| bench.exchange().part).map(PartId::get).collect();
    assert!(shown.contains(&2), "the second is shown after the waits have ended");
    let ended = |events: &[PlcEvent], wait| {
        events.iter().any(|event| matches!(event, PlcEvent::WaitEnded { wait: w, .. } if *w == wait))
    };
    let events = bench.events();
    assert!(ended(&events, Wait::ResultsAck) && ended(&events, Wait::ResultsAckDrop), "{events:?}");
}

#[test]
fn an_answer_written_after_its_deadline_is_late_never_pass() {
    let mut bench = Bench::connected();
    bench.said.control.buffer_results = true;
    bench.exchange();
    bench.shake.answer(bench.now, answer(bench.now, 1, VerdictCode::Pass, 10_000));
    bench.shake.answer(bench.now, answer(bench.now, 2, VerdictCode::Pass, 20));
    bench.after(30);
    bench.said.control.results_ack = true;
    bench.after(3);
    bench.said.control.results_ack = false;
    let block = bench.after(3);
    assert_eq!((block.part, block.code), (Some(part(2)), VerdictCode::Late));
    let last = bench.events().pop();
    assert!(
        matches!(last, Some(PlcEvent::AnswerDelivered { code: VerdictCode::Late, .. })),
        "the record is told what was really written: {last:?}"
    );
}

#[test]
fn after_a_reconnect_the_first_block_is_empty_and_expired_answers_are_gone() {
    let mut bench = Bench::connected();
    bench.shake.disconnected(bench.now, LinkFaultKind::Closed, "gone".into());
    bench.shake.answer(bench.now, answer(bench.now, 1, VerdictCode::Pass, 50));
    bench.shake.answer(bench.now, answer(bench.now, 2, VerdictCode::Pass, 5_000));
    bench.now += ms(60);
    bench.shake.connected("test");
    bench.events();
    let first = bench.exchange();
    assert_eq!((first.status, first.code, first.part), (Status::default(), VerdictCode::None, None));
    let dropped = PlcEvent::AnswerDropped { part: part(1), why: DropCause::Expired };
    assert!(bench.events().contains(&dropped));
    let next = bench.exchange();
    assert_eq!((next.part, next.code), (Some(part(2)), VerdictCode::Pass), "still in time, never shown");
}

#[test]
fn an_answer_whose_write_was_cut_off_is_written_again_while_in_time() {
    let mut bench = Bench::connected();
    bench.shake.answer(bench.now, answer(bench.now, 1, VerdictCode::Pass, 500));
    assert!(bench.shake.outgoing(bench.now).status.results_valid);
    bench.shake.disconnected(bench.now, LinkFaultKind::Timeout, "cut off".into());
    bench.shake.connected("test");
    assert!(!bench.exchange().status.results_valid);
    assert_eq!(bench.exchange().part, Some(part(1)));
    let delivered = |event: &PlcEvent| matches!(event, PlcEvent::AnswerDelivered { .. });
    assert_eq!(bench.events().iter().filter(|event| delivered(event)).count(), 1);
}

#[test]
fn a_ninth_waiting_answer_pushes_out_the_oldest_and_says_so_until_cleared() {
    let mut bench = Bench::connected();
    bench.said.control.buffer_results = true;
    bench.exchange();
    for id in 1..=10 {
        bench.shake.answer(bench.now, answer(bench.now, id, VerdictCode::Pass, 900));
        bench.exchange();
    }
    let overrun = PlcEvent::AnswerOverrun { part: part(2) };
    assert!(bench.events().contains(&overrun), "1 is shown, 2 waited longest");
    assert!(bench.exchange().status.buffer_overrun);
    bench.said.control.clear_errors = true;
    bench.exchange();
    assert!(!bench.exchange().status.buffer_overrun);
    assert!(bench.events().contains(&PlcEvent::ClearErrors));
}

#[test]
fn a_part_number_used_again_never_meets_the_old_pass() {
    // Shown already.
    let mut bench = Bench::connected();
    bench.trigger(1);
    bench.shake.answer(bench.now, answer(bench.now, 1, VerdictCode::Pass, 900));
    assert_eq!(bench.exchange().code, VerdictCode::Pass);
    bench.events();
    bench.trigger(1);
    assert_eq!(bench.exchange().code, VerdictCode::None);
    // Still in the station when the PLC, restarted, counts from 1 again.
    bench.trigger(1);
    bench.shake.answer(bench.now, answer(bench.now, 1, VerdictCode::Pass, 900));
    assert_eq!(bench.exchange().code, VerdictCode::None, "the first of the two open parts 1");
    let dropped = PlcEvent::AnswerDropped { part: part(1), why: DropCause::NumberReused };
    assert!(bench.events().contains(&dropped));
    bench.shake.answer(bench.now, answer(bench.now, 1, VerdictCode::Fail, 900));
    assert_eq!(bench.exchange().code, VerdictCode::Fail);
}

#[test]
fn an_answer_does_not_stand_in_the_block_for_ever() {
    let mut bench = Bench::connected();
    bench.shake.answer(bench.now, answer(bench.now, 1, VerdictCode::Pass, 100));
    assert!(bench.after(900).status.results_valid);
    assert!(!bench.after(200).status.results_valid);
}

#[test]
fn no_trigger_is_taken_while_the_station_could_not_judge_or_does_not_listen() {
    type Spoil = fn(&mut Bench);
    let offline = |bench: &mut Bench| bench.shake.set_state(StationState::default());
    let rows: [(&str, Spoil); 6] = [
        ("not ready", |bench| bench.shake.set_ready(false)),
        ("offline", offline),
        ("fault", |bench| {
            let state = StationState { online: true, fault: true, ..StationState::default() };
            bench.shake.set_state(state);
        }),
        ("recipe changing", |bench| {
            bench.said.control.recipe_change = true;
            bench.said.recipe = RecipeNumber(9);
            bench.exchange();
            bench.events();
        }),
        ("closing", |bench| bench.shake.close()),
        ("an event waits", |bench| bench.shake.note(PlcEvent::ClearErrors)),
    ];
    for (why, spoil) in rows {
        let mut bench = Bench::connected();
        spoil(&mut bench);
        assert!(!bench.exchange().status.trigger_ready, "{why}");
        bench.said.control.trigger = true;
        bench.said.part = PartId::new(3);
        bench.exchange();
        let status = bench.exchange().status;
        assert!(status.missed_trigger && !status.trigger_ack, "{why}");
        let missed = PlcEvent::MissedTrigger { part: Some(part(3)), encoder: 0 };
        assert!(bench.events().contains(&missed), "{why}");
    }
}

#[test]
fn a_frozen_plc_program_is_lost_and_comes_back() {
    let mut bench = Bench::connected();
    let frozen = bench.said;
    for _ in 0..600 {
        bench.now += ms(1);
        bench.shake.outgoing(bench.now);
        bench.shake.incoming(bench.now, &frozen);
    }
    assert!(!bench.shake.is_up());
    assert!(matches!(bench.events()[..], [PlcEvent::PlcLost { .. }]));
    bench.exchange();
    assert!(bench.shake.is_up());
    assert_eq!(bench.events(), [PlcEvent::PlcBack]);
}

#[test]
fn events_nobody_takes_are_bounded_and_counted() {
    let mut bench = Bench::connected();
    for _ in 0..2_000 {
        bench.said.control.line_running = !bench.said.control.line_running;
        bench.exchange();
    }
    assert_eq!(bench.events().len(), EVENTS_MAX);
    assert_eq!(bench.shake.events_lost(), 2_000 - EVENTS_MAX as u64);
}

#[derive(Clone, Debug)]
enum Step {
    Words(FromPlc),
    Trigger(bool, u32),
    Ack(bool, bool),
    Answer(u32, VerdictCode, u64),
    Out,
    OutDelivered,
    Wait(u64),
    Connect,
    Disconnect,
    Beat,
    Ready(bool),
    Exposing,
    State(bool, bool, u16),
}

fn any_step() -> impl Strategy<Value = Step> {
    let code = prop::sample::select(vec![VerdictCode::Pass, VerdictCode::Fail, VerdictCode::Missed]);
    prop_oneof![
        1 => any_from_plc().prop_map(Step::Words),
        4 => (any::<bool>(), 1..6u32).prop_map(|(on, id)| Step::Trigger(on, id)),
        3 => (any::<bool>(), any::<bool>()).prop_map(|(buffer, ack)| Step::Ack(buffer, ack)),
        4 => (1..6u32, code, 0..300u64).prop_map(|(id, code, in_ms)| Step::Answer(id, code, in_ms)),
        2 => Just(Step::Out),
        5 => Just(Step::OutDelivered),
        3 => (0..400u64).prop_map(Step::Wait),
        2 => Just(Step::Connect),
        1 => Just(Step::Disconnect),
        1 => Just(Step::Beat),
        1 => any::<bool>().prop_map(Step::Ready),
        1 => Just(Step::Exposing),
        1 => (any::<bool>(), any::<bool>(), 0..4u16).prop_map(|(online, changing, recipe)| {
            Step::State(online, changing, recipe)
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Whatever the PLC says and however badly the station is driven: a PASS in the block is a PASS that was given
    /// for that part, since the PLC last announced its number, and that was first shown in time; each answer has
    /// exactly one end; and every wait ends by itself.
    #[test]
    fn a_pass_was_given_each_answer_ends_once_and_every_wait_ends(
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let mut now = Instant::now();
        let mut shake = Handshake::new(now, Timing::default());
        shake.set_ready(true);
        shake.set_state(StationState { online: true, ..StationState::default() });
        shake.connected("test");
        let mut said = FromPlc::default();
        said.control.trigger_enable = true;
        // Deadlines of passes given since the number was last announced.
        let mut passes: HashMap<PartId, Vec<Instant>> = HashMap::new();
        let mut last_shown: Option<(PartId, bool)> = None;
        let (mut given, mut ended) = (0, 0);

        for step in steps {
            match step {
                Step::Words(words) => {
                    said = words;
                    shake.incoming(now, &said);
                }
                Step::Trigger(on, id) => {
                    said.control.trigger = on;
                    if on {
                        said.part = PartId::new(id);
                    }
                    said.heartbeat = said.heartbeat.wrapping_add(1);
                    shake.incoming(now, &said);
                }
                Step::Ack(buffer, ack) => {
                    said.control.buffer_results = buffer;
                    said.control.results_ack = ack;
                    shake.incoming(now, &said);
                }
                Step::Answer(id, code, in_ms) => {
                    let answer = answer(now, id, code, in_ms);
                    if code == VerdictCode::Pass {
                        passes.entry(answer.part).or_default().push(answer.deadline);
                    }
                    given += 1;
                    shake.answer(now, answer);
                }
                Step::Out | Step::OutDelivered => {
                    let block = shake.outgoing(now);
                    let shown = block.part.map(|part| (part, block.status.inspection_toggle));
                    if block.status.results_valid && block.code == VerdictCode::Pass {
                        let part = block.part.expect("a result has a part");
                        let deadlines = passes.get(&part).cloned().unwrap_or_default();
                        prop_assert!(!deadlines.is_empty(), "{} was never passed", part);
                        let in_time = deadlines.iter().any(|&deadline| now <= deadline);
                        prop_assert!(in_time || shown == last_shown, "first shown after its deadline");
                    } else {
                        prop_assert!(block.code != VerdictCode::Pass, "a PASS without ResultsValid");
                    }
                    prop_assert!(ToPlc::decode(&block.encode()).is_ok());
                    last_shown = shown;
                    if matches!(step, Step::OutDelivered) {
                        shake.delivered(now, &block);
                    }
                }
                Step::Wait(wait_ms) => now += ms(wait_ms),
                Step::Connect => shake.connected("test"),
                Step::Disconnect => shake.disconnected(now, LinkFaultKind::Closed, String::new()),
                Step::Beat => shake.beat(),
                Step::Ready(ready) => shake.set_ready(ready),
                Step::Exposing => shake.exposing(now),
                Step::State(online, recipe_changing, recipe) => {
                    let recipe = RecipeNumber(recipe);
                    shake.set_state(StationState { online, recipe_changing, recipe, ..StationState::default() });
                }
            }
            while let Some(event) = shake.next_event() {
                match event {
                    PlcEvent::TriggerRequested { part: Some(part), .. }
                    | PlcEvent::MissedTrigger { part: Some(part), .. } => {
                        passes.remove(&part);
                    }
                    PlcEvent::AnswerDelivered { .. }
                    | PlcEvent::AnswerOverrun { .. }
                    | PlcEvent::AnswerDropped { .. } => ended += 1,
                    _ => {}
                }
            }
        }

        // The PLC says nothing new for a minute; the link stands.
        let state = StationState { online: true, ..StationState::default() };
        shake.set_state(state);
        shake.connected("test");
        let mut block = ToPlc::default();
        for _ in 0..600 {
            now += ms(100);
            block = shake.outgoing(now);
            shake.delivered(now, &block);
            shake.incoming(now, &said);
        }
        let status = block.status;
        prop_assert!(!status.results_valid && !status.trigger_ack && !status.exposing && !status.busy);
        prop_assert!(!status.recipe_changing);
        while let Some(event) = shake.next_event() {
            if matches!(
                event,
                PlcEvent::AnswerDelivered { .. }
                    | PlcEvent::AnswerOverrun { .. }
                    | PlcEvent::AnswerDropped { .. }
            ) {
                ended += 1;
            }
        }
        prop_assert_eq!(given, ended, "each answer has exactly one end");
    }
}

#[test]
fn what_the_plc_sees_behind_the_gate_is_told_once_and_again_after_a_reconnect() {
    let mut bench = Bench::connected();
    bench.exchange();
    assert_eq!(bench.events(), [], "nothing is the matter");
    bench.said.gate.bin_full = true;
    bench.after(5);
    let full = GateStatus { bin_full: true, ..GateStatus::default() };
    assert_eq!(bench.events(), [PlcEvent::GateStatus(full)]);
    bench.shake.disconnected(bench.now, LinkFaultKind::Closed, "gone".into());
    bench.shake.connected("test");
    bench.exchange();
    bench.exchange();
    assert!(bench.events().contains(&PlcEvent::GateStatus(full)));
    bench.said.gate = GateStatus::default();
    bench.exchange();
    assert_eq!(bench.events(), [PlcEvent::GateStatus(GateStatus::default())]);
}

#[test]
fn a_part_number_that_moves_without_a_trigger_is_a_part_the_photo_eye_saw() {
    let mut bench = Bench::connected();
    (bench.said.part, bench.said.encoder) = (PartId::new(6), 600);
    bench.exchange();
    assert_eq!(bench.events(), [], "the first number is where the counter stands");
    (bench.said.part, bench.said.encoder) = (PartId::new(8), 800);
    bench.after(3);
    assert_eq!(bench.events(), [PlcEvent::PartSeen { after: part(6), part: part(8), encoder: 800 }]);
    bench.trigger(9);
    let triggered = |event: &PlcEvent| matches!(event, PlcEvent::TriggerRequested { .. });
    let events = bench.events();
    assert!(events.iter().any(triggered), "{events:?}");
    assert!(!events.iter().any(|event| matches!(event, PlcEvent::PartSeen { .. })), "a part is told once");
}

#[test]
fn a_line_stop_request_stands_in_its_own_bit_and_changes_no_other_word() {
    let mut bench = Bench::connected();
    let before = bench.exchange();
    let state = StationState { online: true, recipe: RecipeNumber(1), ..StationState::default() };
    bench.shake.set_state(StationState { line_stop_request: true, ..state });
    let asking = bench.exchange();
    assert!(asking.status.line_stop_request);
    bench.shake.set_state(state);
    let after = bench.exchange();
    assert_eq!(
        (before.encode(), asking.encode()[1..].to_vec()),
        (after.encode(), before.encode()[1..].to_vec())
    );
}
