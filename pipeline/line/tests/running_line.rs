//! The line from outside: what comes past the photo-eye, what the camera sees, what the gate does.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use plumb_line::{Line, LineConfig, Product};
use proptest::prelude::*;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn line(config: LineConfig) -> (Line, Instant) {
    let start = Instant::now();
    (Line::new(config, start).expect("a line that can be"), start)
}

#[test]
fn edges_come_once_in_order_with_the_encoder_of_their_moment() {
    let (line, start) = line(LineConfig { pitch_jitter_mm: 0.0, ..LineConfig::default() });
    assert_eq!(line.photo_eye_edges(start + ms(199)), []);
    let first = line.photo_eye_edges(start + ms(650));
    assert_eq!(first.iter().map(|e| e.index).collect::<Vec<_>>(), [0, 1, 2]);
    // 60 mm at 300 mm/s and 0.1 mm a count: every 200 ms, every 600 counts.
    assert_eq!(first.iter().map(|e| e.at - start).collect::<Vec<_>>(), [ms(200), ms(400), ms(600)]);
    assert_eq!(first.iter().map(|e| e.encoder).collect::<Vec<_>>(), [600, 1200, 1800]);
    assert_eq!(line.photo_eye_edges(start + ms(650)), []);
    assert_eq!(line.photo_eye_edges(start + ms(100)), [], "the photo-eye does not go back");
    assert_eq!(line.photo_eye_edges(start + ms(800)).len(), 1);
}

#[test]
fn a_part_is_in_the_middle_when_the_camera_says_so_and_cut_when_it_is_late() {
    let config = LineConfig {
        pitch_jitter_mm: 0.0,
        defect_share: 0.0,
        pose_jitter_px: 0.0,
        noise: 0.0,
        uneven_light: 0.0,
        ..LineConfig::default()
    };
    let (line, start) = line(config);
    // Leading edge at the eye after 200 ms, in the middle 1.5 mm = 5 ms later.
    let columns = |after: Duration| {
        let image = line.expose(start + after).image;
        let row = image.row(image.height() / 2);
        let bright: Vec<usize> = (0..320).filter(|x| row[3 * x + 1] > 70).collect();
        (*bright.first().expect("metal"), *bright.last().expect("metal"))
    };
    let (left, right) = columns(ms(205));
    assert!((left as i64 + right as i64 - 319).abs() <= 4, "{left}..{right} is not in the middle");
    assert!((right - left).abs_diff(160) <= 6, "24 mm at 0.15 mm/px are 160 px, seen {left}..{right}");
    let (later, _) = columns(ms(215));
    assert_eq!((later - left).abs_diff(20), 0, "10 ms late are 3 mm are 20 px");
    // 60 ms late: 120 px on, only the near side of the ring is left of the hole, and the far side is out of the picture.
    let (cut, hole) = columns(ms(205 + 60));
    assert_eq!(cut - left, 120);
    assert!(hole < 250, "the far side should be out of the picture, seen {cut}..{hole}");
}

#[test]
fn an_exposure_remembers_its_part() {
    let (line, start) = line(LineConfig { pitch_jitter_mm: 0.0, ..LineConfig::default() });
    let bare = line.expose(start);
    assert_eq!((bare.frame_id, bare.part_in_view), (1, None));
    for index in 0..5 {
        let seen = line.expose(start + ms(205 + 200 * index));
        assert_eq!((seen.frame_id, seen.part_in_view), (index + 2, Some(index)));
    }
    assert_eq!(line.exposed(1), None);
    assert_eq!(
        (2..8).map(|id| line.exposed(id)).collect::<Vec<_>>(),
        [Some(0), Some(1), Some(2), Some(3), Some(4), None]
    );
    assert_eq!(line.exposed(0), None);
}

#[test]
fn parts_are_the_same_however_often_one_looks() {
    let config = LineConfig { seed: 77, defect_share: 0.5, ..LineConfig::default() };
    let (idle, _) = line(config.clone());
    let (busy, start) = line(config);
    for k in 0..60 {
        busy.expose(start + ms(k * 37));
        busy.photo_eye_edges(start + ms(k * 37));
    }
    for index in 0..40 {
        assert_eq!(idle.truth_of(index), busy.truth_of(index));
    }
}

#[test]
fn a_perfect_inspector_lets_nothing_escape_and_wastes_nothing() {
    for product in [Product::Washer, Product::BlisterPack] {
        let (line, start) =
            line(LineConfig { product, parts: Some(200), defect_share: 0.3, ..LineConfig::default() });
        let mut now = start;
        let mut gate_at = std::collections::VecDeque::new();
        while !line.is_empty() {
            now += ms(5);
            gate_at.extend(
                line.photo_eye_edges(now).into_iter().map(|e| (e.encoder.wrapping_add(3000), e.index)),
            );
            while let Some((count, index)) = gate_at.front().copied() {
                if (line.encoder(now).wrapping_sub(count) as i32) < 0 {
                    break;
                }
                line.set_gate(index, line.truth_of(index).good, now);
                gate_at.pop_front();
            }
            line.advance(now);
        }
        let t = line.tally();
        assert_eq!((t.begun, t.at_gate, t.passed + t.rejected), (200, 200, 200));
        assert_eq!((t.escapes, t.false_rejects, t.undecided_at_gate, t.refused_decisions), (0, 0, 0, 0));
        assert_eq!(t.rejected, (0..200).filter(|i| !line.truth_of(*i).good).count() as u64);
    }
}

#[test]
fn feeding_stops_and_what_is_on_the_belt_still_comes() {
    let (line, start) = line(LineConfig::default());
    line.advance(start + ms(1000));
    let begun = line.photo_eye_edges(start + ms(1000)).len() as u64;
    line.stop_feeding();
    assert!(!line.is_empty());
    line.advance(start + ms(10_000));
    let t = line.tally();
    assert!(line.is_empty());
    assert!((begun + 1..begun + 5).contains(&t.begun), "{begun} had begun, {} came", t.begun);
    assert_eq!(t.begun, begun + line.photo_eye_edges(start + ms(10_000)).len() as u64);
    assert_eq!(t.undecided_at_gate, t.begun);
    assert_eq!(line.expose(start + ms(10_000)).part_in_view, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_part_is_accounted_for_whatever_anybody_decides(
        seed: u64,
        steps in prop::collection::vec((1..120u64, 0..40u64, prop::option::of(any::<bool>())), 1..150),
    ) {
        let (line, start) = line(LineConfig { seed, defect_share: 0.5, parts: Some(30), ..LineConfig::default() });
        let mut now = start;
        let mut edges = 0;
        let mut decisions = 0;
        let mut latest = BTreeMap::new();
        for (wait_ms, index, decision) in steps {
            now += ms(wait_ms);
            edges += line.photo_eye_edges(now).len() as u64;
            let before = line.tally();
            if let Some(release) = decision {
                line.set_gate(index, release, now);
                decisions += 1;
                if line.tally().refused_decisions == before.refused_decisions {
                    latest.insert(index, release);
                }
            }
            line.advance(now);
            let t = line.tally();
            prop_assert_eq!(t.begun, edges);
            prop_assert!(t.at_gate <= t.begun);
            prop_assert!(t.at_gate - t.passed - t.rejected <= 1);
            prop_assert!(t.escapes <= t.passed && t.false_rejects <= t.rejected && t.undecided_at_gate <= t.rejected);
        }
        line.advance(now + ms(60_000));
        let t = line.tally();
        prop_assert_eq!((t.begun, t.at_gate, t.passed + t.rejected), (30, 30, 30));
        // What the gate did is what was last said about each part, and reject where nothing was.
        let released = |i: &u64| latest.get(i).copied().unwrap_or(false);
        prop_assert_eq!(t.passed, (0..30).filter(released).count() as u64);
        let good = |i: &u64| line.truth_of(*i).good;
        prop_assert_eq!(t.escapes, (0..30).filter(|i| released(i) && !good(i)).count() as u64);
        prop_assert_eq!(t.false_rejects, (0..30).filter(|i| !released(i) && good(i)).count() as u64);
        prop_assert_eq!(t.undecided_at_gate, 30 - latest.len() as u64);
        prop_assert!(t.refused_decisions + latest.len() as u64 <= decisions);
    }
}
