//! The function blocks of deploy/plc are compiled and run (`tests/peer/structured_text.py`: a grammar that is not ours, types
//! checked) beside the simulator's program, against one and the same station: word for word and part for part they must
//! do the same.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test's helpers are part of the test

mod foreign;

use foreign::python;
use plumb_inspection::{PartId, RecipeNumber};
use plumb_plc::{
    Answer, FromPlc, LinkFaultKind, PlcEvent, StationState, Timing, VerdictCode,
    handshake::Handshake,
    simulator::{GateReason, LineInputs, PlcProgram, PlcProgramConfig},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

const SCAN_MS: u64 = 5;
/// Encoder counts a scan.
const STEP: u32 = 10;
/// From photo-eye to gate.
const GATE: u32 = 600;
/// From photo-eye to where the camera no longer sees the part.
const REACH: u32 = 400;

/// The blocks, compiled.
struct Compiled {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Compiled {
    /// `None`, with a word about it, where there is no blark.
    fn start(files: &[&Path]) -> Option<Self> {
        let python = python("blark")?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer/structured_text.py");
        let mut child = Command::new(python)
            .arg("-B")
            .arg(script)
            .args(files)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut compiled = Self { child, to, from };
        println!("compiled {}", compiled.line()["compiled"]);
        Some(compiled)
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("it says on stderr what is wrong with the text")
    }

    /// Switched on, then scan by scan.
    fn run(&mut self, scans: &[Value]) -> Vec<Value> {
        writeln!(self.to, "{}", json!({ "scans": scans })).unwrap();
        let Value::Array(after) = self.line()["scans"].take() else { panic!("a list of scans") };
        after
    }
}

impl Drop for Compiled {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}

fn texts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/plc/structured_text")
}

/// A scan as the blocks are given it, and what the simulator's program made of it.
struct Scan {
    inputs: Value,
    words: [u16; 10],
    decision: Option<(u32, bool, i64)>,
    lives: bool,
    stop: bool,
}

fn reason(why: GateReason) -> i64 {
    match why {
        GateReason::NotAnnounced => 1,
        GateReason::NotTaken => 2,
        GateReason::NoAnswer => 3,
        GateReason::Passed => 4,
        GateReason::Failed => 5,
        GateReason::Missed => 6,
        GateReason::Late => 7,
        GateReason::StationLost => 8,
    }
}

/// A line for `scans` scans: parts at random, and a station whose heart, wire, verdicts and temper fail at random.
fn trace(seed: u64, scans: u64) -> (Vec<Scan>, u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let config = PlcProgramConfig {
        announce_counts: REACH,
        buffer_results: !seed.is_multiple_of(3),
        ..PlcProgramConfig::new(GATE)
    };
    let buffer = config.buffer_results;
    let mut program = PlcProgram::new(config);
    let start = Instant::now();
    let mut station = Handshake::new(start, Timing::default());
    station.set_ready(true);
    let online =
        |recipe| StationState { online: true, recipe: RecipeNumber(recipe), ..StationState::default() };
    station.set_state(online(1));
    let mut due: Vec<(Instant, Answer)> = Vec::new();
    let (mut edge, mut last_edge, mut encoder) = (None, 0, u32::MAX - STEP * 200);
    let (mut beating, mut wired, mut ready) = (true, true, true);
    let (mut run, mut shown) = (Vec::new(), [0; 10]);
    for scan in 0..scans {
        let now = start + Duration::from_millis(scan * SCAN_MS);
        encoder = encoder.wrapping_add(STEP);
        // What fails, and mends itself.
        beating = if beating { !random.random_bool(0.003) } else { random.random_bool(0.01) };
        ready = if ready { !random.random_bool(0.004) } else { random.random_bool(0.03) };
        station.set_ready(ready);
        match (wired, random.random_bool(if wired { 0.002 } else { 0.02 })) {
            (true, true) => {
                station.disconnected(now, LinkFaultKind::Closed, String::new());
                wired = false;
            }
            (false, true) => {
                station.connected("the PLC");
                wired = true;
            }
            _ => {}
        }
        if scan == 0 {
            station.connected("the PLC");
        }
        let recipe = (scan % 700 == 350).then_some(2 + (scan / 700) as u16);
        if let Some(number) = recipe {
            program.want_recipe(RecipeNumber(number));
        }
        if beating && scan % 20 == 0 {
            station.beat();
        }
        due.retain(|(at, answer)| {
            let keep = *at > now;
            if !keep {
                station.answer(now, answer.clone());
            }
            keep
        });
        if wired {
            let block = station.outgoing(now);
            shown = block.encode();
            station.delivered(now, &block);
        }
        let mut words = shown;
        if random.random_bool(0.02) {
            words[9] = words[9].wrapping_add(1);
        }
        // The blocks take an edge in one scan and announce it in the next; the simulator does both at once.
        let (announced, rises) = (edge.take(), scan > last_edge + 3 && random.random_bool(0.08));
        if rises {
            (edge, last_edge) = (Some(encoder.wrapping_sub(random.random_range(0..STEP))), scan);
        }
        let running = !(900..1_000).contains(&(scan % 2_000));
        let inputs = LineInputs {
            encoder,
            photo_eye_edges: announced.into_iter().collect(),
            line_running: running,
            ..LineInputs::default()
        };
        let out = program.scan(now, &inputs, &words);
        assert!(out.decisions.len() < 2, "the belt keeps the parts apart");
        let decision = out.decisions.first().map(|d| (d.part.get(), d.release, reason(d.why)));
        if wired {
            station.incoming(now, &FromPlc::decode(&out.words.encode()));
        }
        while let Some(event) = station.next_event() {
            match event {
                PlcEvent::TriggerRequested { part: Some(part), .. } if random.random_bool(0.95) => {
                    due.push(answer(part, now, &mut random));
                }
                PlcEvent::RecipeWanted(number) => station.set_state(online(number.0)),
                _ => {}
            }
        }
        run.push(Scan {
            inputs: json!({
                "ScanMs": if scan == 0 { 0 } else { SCAN_MS }, "Station": words, "Buffer": buffer, "Running": running,
                "Edge": edge.is_some(), "EdgeEncoder": edge.unwrap_or(0), "Encoder": encoder,
                "Recipe": recipe.unwrap_or(0), "RecipeRequest": recipe.is_some(),
            }),
            words: out.words.encode(),
            decision,
            lives: out.station_lives,
            stop: out.line_stop.is_some(),
        });
    }
    (run, program.tally().released)
}

/// A verdict of any kind, early or late, sometimes for another part.
fn answer(part: PartId, now: Instant, random: &mut StdRng) -> (Instant, Answer) {
    let codes =
        [VerdictCode::Pass, VerdictCode::Pass, VerdictCode::Pass, VerdictCode::Fail, VerdictCode::Missed];
    let part = if random.random_bool(0.05) { part.next() } else { part };
    let at = now + Duration::from_millis(random.random_range(0..350));
    let deadline = now + Duration::from_millis(250);
    let (code, recipe) = (codes[random.random_range(0..codes.len())], RecipeNumber(1));
    (at, Answer { part, code, reason: 0, decision: Duration::ZERO, recipe, deadline })
}

/// The two blocks wired together, with the test's inputs.
const RIG: &str = "
PROGRAM PRG_Rig
VAR
    ScanMs : UDINT; Station : ARRAY[0..9] OF WORD; Buffer : BOOL; Running : BOOL; Edge : BOOL; EdgeEncoder : UDINT;
    Encoder : UDINT; Recipe : UINT; RecipeRequest : BOOL; RejectEye : BOOL; GoodEye : BOOL; Bin : BOOL; Air : BOOL;
    Reset : BOOL; Eyes : BOOL; Handshake : FB_PlumbHandshake; Gate : FB_PlumbGate;
END_VAR
Handshake(ScanMs := ScanMs, Station := Station, NextValid := Gate.NextValid, NextPart := Gate.NextPart,
    NextEncoder := Gate.NextEncoder, LineRunning := Running, BufferResults := Buffer, RecipeRequest := RecipeRequest,
    RecipeNumber := Recipe,
    GateStatus := Gate.GateStatus);
Gate(ScanMs := ScanMs, PartEdge := Edge, EdgeEncoder := EdgeEncoder, EncoderNow := Encoder, LineRunning := Running,
    StationLives := Handshake.StationLives, StationAsksStop := Handshake.StationAsksStop, RaisedNow := Handshake.RaisedNow, RaisedPart := Handshake.RaisedPart,
    TakenNow := Handshake.TakenNow, RefusedNow := Handshake.RefusedNow, EndedPart := Handshake.EndedPart,
    AnswerValid := Handshake.AnswerValid, AnswerPart := Handshake.AnswerPart, AnswerCode := Handshake.AnswerCode,
    RejectSeen := RejectEye, PassSeen := GoodEye, BinFull := Bin, AirLow := Air, ResetStop := Reset,
    UseRejectEye := Eyes, UsePassEye := Eyes, GateCounts := 600, AnnounceCounts := 390, HoldCounts := 40,
    ConfirmCounts := 60);
END_PROGRAM
";

#[test]
fn the_function_blocks_do_what_the_simulator_does() {
    let rig = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(rig.path(), RIG).unwrap();
    let [handshake, gate] = ["FB_PlumbHandshake.st", "FB_PlumbGate.st"].map(|name| texts().join(name));
    let Some(mut blocks) = Compiled::start(&[&handshake, &gate, rig.path()]) else { return };
    let (mut released, mut parts, mut reasons) = (0, 0, [0; 9]);
    for seed in 0..12 {
        let (run, by_simulator) = trace(seed, 3_000);
        let inputs: Vec<Value> = run.iter().map(|scan| scan.inputs.clone()).collect();
        let after = blocks.run(&inputs);
        for (at, (scan, after)) in run.iter().zip(&after).enumerate() {
            let place = format!("seed {seed}, scan {at}: {}", scan.inputs);
            let (handshake, gate) = (&after["HANDSHAKE"], &after["GATE"]);
            assert_eq!(handshake["PLC"], json!(scan.words), "{place}");
            assert_eq!(handshake["STATIONLIVES"], scan.lives, "{place}");
            assert_eq!(gate["STATIONLOSTSTOP"], scan.stop, "{place}");
            assert_eq!(gate["ATGATE"], scan.decision.is_some(), "{place}");
            if let Some((part, release, why)) = scan.decision {
                let decided = (&gate["GATEPART"], &gate["GATERELEASE"], &gate["GATEREASON"]);
                assert_eq!(decided, (&json!(part), &json!(release), &json!(why)), "{place}");
                parts += 1;
                reasons[why as usize] += 1;
            }
        }
        assert_eq!(after.last().unwrap()["GATE"]["RELEASED"], by_simulator, "seed {seed}");
        released += by_simulator;
    }
    println!("{parts} parts, {released} released, by reason 1 to 8: {:?}", &reasons[1..]);
    assert!(reasons[1..].iter().all(|&count| count > 0), "each reason has been tried: {reasons:?}");
    what_stops_the_line(&mut blocks);
}

/// Parts 1, 2, … a pitch of 100 scans apart; the station says `codes` of them, and `eyes` see what they see.
fn what_stops_the_line(blocks: &mut Compiled) {
    type Seen = fn(u64) -> (bool, bool, bool, bool);
    const NOTHING: Seen = |_| (false, false, false, false);
    let (pass, fail, missed) = (0x5AA5, 2, 3);
    // codes, eyes (reject, good, bin, air) at a scan, whether eyes are used, reason of the stop
    let rows: [(&str, &[u16], Seen, bool, i64); 9] = [
        ("good parts", &[pass; 8], NOTHING, false, 0),
        ("five rejects in a row", &[fail; 8], NOTHING, false, 2),
        ("rejects with good ones between", &[fail, fail, fail, fail, pass, fail, fail], NOTHING, false, 0),
        ("two that could not be judged", &[pass, missed, missed, pass], NOTHING, false, 3),
        ("a reject that the chute does not see", &[fail, pass], NOTHING, true, 4),
        ("a reject that the chute sees", &[fail, fail], |at| (at % 100 == 83, false, false, false), true, 0),
        (
            "a rejected part in the good lane",
            &[fail, fail],
            |at| (at % 100 == 83, at % 100 == 85, false, false),
            true,
            5,
        ),
        ("a full bin", &[pass; 3], |at| (false, false, at > 150, false), false, 6),
        ("no air", &[pass; 3], |at| (false, false, false, at > 150), false, 7),
    ];
    for (what, codes, seen, eyes, reason) in rows {
        let scans: Vec<Value> = (0..codes.len() as u64 * 100 + 120)
            .map(|at| {
                let (part, phase) = (at / 100, at % 100);
                let mut words = [0x0003_u16, (at / 20) as u16, 0, 0, 0, 0, 0, 0, 0, 0];
                let there = at >= 20 && (part as usize) < codes.len();
                if there && (22..24).contains(&phase) {
                    words[0] |= 0x0004;
                }
                if there && (30..40).contains(&phase) {
                    words[0] |= 0x0080;
                    (words[3], words[9], words[4]) = (part as u16 + 1, part as u16 + 1, codes[part as usize]);
                }
                let (reject, good, bin, air) = seen(at);
                json!({ "ScanMs": 5, "Station": words, "Buffer": true, "Running": true, "Edge": there && phase == 20,
                    "EdgeEncoder": at * 10, "Encoder": at * 10, "RejectEye": reject, "GoodEye": good, "Bin": bin,
                    "Air": air, "Eyes": eyes })
            })
            .collect();
        let after = blocks.run(&scans);
        let stop = &after.last().unwrap()["GATE"];
        let word_7 = match reason {
            4 => 0b0001,
            5 => 0b1000,
            6 => 0b0010,
            7 => 0b0100,
            _ => 0,
        };
        assert_eq!(after.last().unwrap()["HANDSHAKE"]["PLC"][7], word_7, "{what}");
        assert_eq!(
            (&stop["LINESTOP"], &stop["STOPREASON"]),
            (&json!(reason != 0), &json!(reason)),
            "{what}: {stop}"
        );
    }
}

#[test]
fn the_example_compiles_and_rejects_while_there_is_no_station() {
    let files =
        ["FB_PlumbHandshake.st", "FB_PlumbGate.st", "PRG_PlumbExample.st"].map(|name| texts().join(name));
    let Some(mut example) = Compiled::start(&files.each_ref().map(PathBuf::as_path)) else { return };
    let scans: Vec<Value> = (0..400)
        .map(|at| json!({ "PhotoEye": at == 10, "LatchedEncoder": 100, "EncoderNow": at * 10, "BeltRuns": true }))
        .collect();
    let after = example.run(&scans);
    assert!(after.iter().all(|scan| scan["OUTPUTPASS"] == false));
    assert_eq!(after.last().unwrap()["GATE"]["UNJUDGED"], 1);
    assert_eq!(after.last().unwrap()["OUTPUTBELT"], false, "a station lost for a second stops the belt");
}
