//! The table of [`super`], row by row: what the station does when the PLC does what it must not.

use super::{
    tests::{Bench, answer, ms, part},
    *,
};
use crate::VerdictCode;
use proptest::prelude::*;

/// A PLC that freezes each result until it acknowledges it.
fn buffering() -> Bench {
    let mut bench = Bench::connected();
    bench.said.control.buffer_results = true;
    bench.exchange();
    bench
}

fn raise(bench: &mut Bench, id: u32) {
    bench.said.control.trigger = true;
    bench.said.part = PartId::new(id);
    bench.exchange();
}

/// The station passes part `id`; the block that says so.
fn pass(bench: &mut Bench, id: u32) -> ToPlc {
    bench.shake.answer(bench.now, answer(bench.now, id, VerdictCode::Pass, 500));
    bench.exchange()
}

/// The exchange at `risen` was the first to show it.
fn taken(id: u32, risen: Instant) -> PlcEvent {
    PlcEvent::TriggerRequested { part: Some(part(id)), encoder: 0, since: risen - ms(1) }
}

fn missed(id: u32) -> PlcEvent {
    PlcEvent::MissedTrigger { part: Some(part(id)), encoder: 0 }
}

#[test]
fn a_trigger_while_not_enabled_is_missed_and_clear_errors_takes_that_back() {
    let mut bench = Bench::connected();
    bench.said.control.trigger_enable = false;
    bench.exchange();
    raise(&mut bench, 1);
    let status = bench.exchange().status;
    assert!(status.missed_trigger && !status.trigger_ack && !status.busy);
    assert_eq!(bench.events(), [missed(1)]);
    bench.said.control.clear_errors = true;
    bench.exchange();
    assert!(!bench.exchange().status.missed_trigger);
}

#[test]
fn a_trigger_found_high_after_a_reconnect_is_missed() {
    let mut bench = Bench::connected();
    raise(&mut bench, 1);
    bench.shake.disconnected(bench.now, LinkFaultKind::Closed, "gone".into());
    bench.said.part = PartId::new(2);
    bench.shake.connected("test");
    bench.exchange();
    bench.events();
    bench.exchange();
    let status = bench.exchange().status;
    assert!(status.missed_trigger && !status.trigger_ack);
}

#[test]
fn a_trigger_never_dropped_is_one_part_and_the_next_needs_a_rise() {
    let mut bench = Bench::connected();
    raise(&mut bench, 1);
    let risen = bench.now;
    assert!(bench.after(900).status.trigger_ack);
    assert!(!bench.after(200).status.trigger_ack);
    let ended = PlcEvent::WaitEnded { wait: Wait::TriggerDrop, part: Some(part(1)) };
    assert_eq!(bench.events(), [taken(1, risen), ended]);
    bench.after(500);
    assert_eq!(bench.events(), [], "a level is no part");
    bench.said.control.trigger = false;
    bench.exchange();
    assert!(bench.exchange().status.trigger_ready);
    raise(&mut bench, 2);
    assert_eq!(bench.events(), [taken(2, bench.now)]);
}

#[test]
fn another_part_under_a_held_trigger_is_missed_and_the_first_is_answered() {
    let mut bench = Bench::connected();
    raise(&mut bench, 1);
    let risen = bench.now;
    raise(&mut bench, 2);
    assert_eq!(bench.events(), [taken(1, risen), missed(2)]);
    let block = pass(&mut bench, 1);
    assert!(block.status.missed_trigger && !block.status.trigger_ack);
    assert_eq!((block.part, block.code), (Some(part(1)), VerdictCode::Pass));
}

#[test]
fn a_part_whose_trigger_or_enable_fell_too_early_is_answered_all_the_same() {
    let early: [fn(&mut Control); 2] =
        [|control| control.trigger = false, |control| control.trigger_enable = false];
    for drop_it in early {
        let mut bench = Bench::connected();
        raise(&mut bench, 1);
        drop_it(&mut bench.said.control);
        // This block was made before the fall was read: it is the first and last with TriggerAck.
        bench.exchange();
        let status = bench.exchange().status;
        assert!(!status.trigger_ack && status.busy);
        assert_eq!(pass(&mut bench, 1).code, VerdictCode::Pass);
    }
}

#[test]
fn a_part_without_a_number_is_left_to_the_station() {
    let mut bench = Bench::connected();
    raise(&mut bench, 0);
    assert_eq!(
        bench.events(),
        [PlcEvent::TriggerRequested { part: None, encoder: 0, since: bench.now - ms(1) }]
    );
    bench.shake.begun(bench.now, part(901));
    assert!(bench.exchange().status.busy);
    assert_eq!(pass(&mut bench, 901).part, Some(part(901)));
}

#[test]
fn a_result_that_is_never_acknowledged_is_withdrawn_and_the_next_one_shown() {
    let mut bench = buffering();
    pass(&mut bench, 1);
    bench.shake.answer(bench.now, answer(bench.now, 2, VerdictCode::Fail, 10_000));
    bench.events();
    assert_eq!(bench.after(900).part, Some(part(1)));
    assert_eq!(bench.after(200).part, Some(part(2)));
    let ended = PlcEvent::WaitEnded { wait: Wait::ResultsAck, part: Some(part(1)) };
    assert!(bench.events().contains(&ended));
}

#[test]
fn an_ack_that_is_never_dropped_acknowledges_once_and_delays_the_next_result_by_one_wait() {
    let mut bench = buffering();
    pass(&mut bench, 1);
    bench.shake.answer(bench.now, answer(bench.now, 2, VerdictCode::Fail, 10_000));
    bench.said.control.results_ack = true;
    assert!(!bench.after(900).status.results_valid);
    assert_eq!(bench.after(200).part, Some(part(2)), "shown although ResultsAck is still up");
    assert_eq!(bench.after(900).part, Some(part(2)), "and not taken for acknowledged");
    let ended = |event: &PlcEvent| matches!(event, PlcEvent::WaitEnded { wait: Wait::ResultsAckDrop, .. });
    assert!(bench.events().iter().any(ended));
}

#[test]
fn an_ack_of_a_plc_that_does_not_buffer_means_nothing() {
    let mut bench = Bench::connected();
    bench.said.control.results_ack = true;
    bench.exchange();
    pass(&mut bench, 1);
    assert_eq!(bench.after(100).part, Some(part(1)));
}

#[test]
fn a_plc_whose_heart_stands_still_gets_no_picture_but_its_answers() {
    let mut bench = Bench::connected();
    raise(&mut bench, 1);
    bench.said.control.trigger = false;
    let frozen = bench.said;
    let stand_still = |bench: &mut Bench, said: &FromPlc| {
        bench.now += ms(1);
        let block = bench.shake.outgoing(bench.now);
        bench.shake.delivered(bench.now, &block);
        bench.shake.incoming(bench.now, said);
        block
    };
    for _ in 0..600 {
        stand_still(&mut bench, &frozen);
    }
    bench.events();
    bench.shake.answer(bench.now, answer(bench.now, 1, VerdictCode::Pass, 500));
    let block = stand_still(&mut bench, &frozen);
    assert!(!block.status.trigger_ready && block.code == VerdictCode::Pass);
    let mut rising = frozen;
    (rising.control.trigger, rising.part) = (true, PartId::new(2));
    stand_still(&mut bench, &rising);
    assert!(bench.events().contains(&missed(2)));
    bench.said = FromPlc { part: rising.part, ..frozen };
    bench.exchange();
    assert_eq!(bench.events(), [PlcEvent::PlcBack]);
    assert!(bench.exchange().status.trigger_ready, "all is well at the next beat");
}

#[test]
fn a_recipe_that_there_is_not_leaves_the_old_one_in_word_18() {
    let mut bench = Bench::connected();
    bench.said.control.recipe_change = true;
    bench.said.recipe = RecipeNumber(99);
    bench.exchange();
    assert_eq!(bench.events(), [PlcEvent::RecipeWanted(RecipeNumber(99))]);
    let old = StationState { online: true, recipe: RecipeNumber(1), ..StationState::default() };
    bench.shake.set_state(StationState { recipe_changing: true, ..old });
    let status = bench.exchange().status;
    assert!(status.recipe_changing && !status.trigger_ready);
    // The station has looked for it and says so.
    bench.shake.set_state(old);
    let block = bench.exchange();
    assert!(!block.status.recipe_changing && block.status.trigger_ready);
    assert_eq!(block.recipe, RecipeNumber(1));
    bench.after(100);
    assert_eq!(bench.events(), [], "a wish still held is not heard again");
}

#[test]
fn a_station_that_never_says_what_became_of_a_recipe_is_not_waited_for() {
    let mut bench = Bench::connected();
    bench.said.control.recipe_change = true;
    bench.said.recipe = RecipeNumber(99);
    assert!(bench.after(29_000).status.recipe_changing);
    assert!(!bench.after(1_100).status.recipe_changing);
    let ended = PlcEvent::WaitEnded { wait: Wait::RecipeChange, part: None };
    assert!(bench.events().contains(&ended));
}

proptest! {
    /// A PLC that buffers and acknowledges as it should, however slowly: what it sees are the answers in their order,
    /// each for one stretch of time, and the only ones missing are those that were pushed out and said to be.
    #[test]
    fn a_slow_plc_sees_each_answer_once_and_in_order(
        steps in prop::collection::vec((0..3_u32, 0..4_u32, 0..4_u32), 1..60),
    ) {
        let mut bench = buffering();
        let mut seen: Vec<u32> = Vec::new();
        let mut next = 1;
        let look = |block: ToPlc, seen: &mut Vec<u32>| {
            let shown = block.part.filter(|_| block.status.results_valid).map(PartId::get);
            if let Some(id) = shown.filter(|id| seen.last() != Some(id)) {
                seen.push(id);
            }
        };
        for (answers, before_ack, before_drop) in steps {
            for _ in 0..answers {
                bench.shake.answer(bench.now, answer(bench.now, next, VerdictCode::Pass, 60_000));
                next += 1;
            }
            for _ in 0..before_ack {
                look(bench.exchange(), &mut seen);
            }
            bench.said.control.results_ack = true;
            look(bench.exchange(), &mut seen);
            for _ in 0..before_drop {
                look(bench.exchange(), &mut seen);
            }
            bench.said.control.results_ack = false;
            look(bench.exchange(), &mut seen);
        }
        for _ in 0..40 {
            bench.said.control.results_ack ^= true;
            look(bench.exchange(), &mut seen);
            look(bench.exchange(), &mut seen);
        }
        let overrun = bench.events().into_iter().filter_map(|event| match event {
            PlcEvent::AnswerOverrun { part } => Some(part.get()),
            _ => None,
        });
        let overrun: Vec<u32> = overrun.collect();
        let expected: Vec<u32> = (1..next).filter(|id| !overrun.contains(id)).collect();
        prop_assert_eq!(seen, expected);
    }
}
