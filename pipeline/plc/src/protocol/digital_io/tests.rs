//! The link on lines that are not there: a double in the kernel's place (this says so; with gpio-sim see the last test).

#![allow(clippy::print_stdout)]

use super::*;
use crate::{Answer, PlcEvent, StationState};
use plumb_inspection::RecipeNumber;
use std::sync::{Mutex, MutexGuard, mpsc as blocking};

/// What the lines did, and when.
#[derive(Debug, Default)]
struct Wires {
    /// Each change of (gate, alive).
    history: Vec<(Instant, bool, bool)>,
    /// The gate's line no longer does what it is told.
    stuck: bool,
}

#[derive(Clone, Default)]
struct Bench(Arc<Mutex<Wires>>);

impl Bench {
    fn wires(&self) -> MutexGuard<'_, Wires> {
        self.0.lock().unwrap()
    }

    fn gate(&self) -> bool {
        self.wires().history.last().is_some_and(|(_, gate, _)| *gate)
    }

    /// How long the gate's line was active in all, as rises and falls.
    fn pulses(&self) -> Vec<(Instant, Instant)> {
        let history = &self.wires().history;
        let mut pulses = Vec::new();
        let mut up = None;
        for (at, gate, _) in history {
            match (up, gate) {
                (None, true) => up = Some(*at),
                (Some(from), false) => {
                    pulses.push((from, *at));
                    up = None;
                }
                _ => {}
            }
        }
        pulses
    }
}

impl Outputs for Bench {
    fn set(&mut self, gate: bool, alive: bool) -> Result<(bool, bool), String> {
        let mut wires = self.wires();
        let gate = gate && !wires.stuck;
        if wires.history.last().map(|(_, gate, alive)| (*gate, *alive)) != Some((gate, alive)) {
            wires.history.push((Instant::now(), gate, alive));
        }
        Ok((gate, alive))
    }
}

struct Eye(blocking::Receiver<Rise>);

impl Inputs for Eye {
    fn wait(&mut self, limit: Duration) -> Result<Option<Rise>, String> {
        Ok(self.0.recv_timeout(limit).ok())
    }
}

struct Double {
    bench: Bench,
    eye: Option<blocking::Receiver<Rise>>,
}

impl Board for Double {
    fn take(&mut self, _config: &DigitalIoConfig, rejecting: bool) -> Result<Taken, String> {
        let mut bench = self.bench.clone();
        bench.set(rejecting, false)?;
        let eye = self.eye.take().map(|eye| Box::new(Eye(eye)) as Box<dyn Inputs>);
        Ok((Box::new(bench), eye))
    }
}

fn config(on: GateOn) -> DigitalIoConfig {
    let input = |line| Some(InputConfig { line: Line::Offset(line), debounce_us: 500, active_low: false });
    DigitalIoConfig {
        chip: "/dev/gpiochip0".into(),
        gate: GateConfig { line: Line::Offset(17), on, delay_ms: 150, width_ms: 50, active_low: false },
        alive: Some(AliveConfig { line: Line::Name("ALIVE".into()), active_low: false }),
        trigger: input(4),
        reset: input(5),
        handshake: Timing::default(),
    }
}

/// A station that answers what the test says, and its lines.
struct Rig {
    port: Arc<Port>,
    heard: mpsc::Receiver<PlcEvent>,
    bench: Bench,
    eye: blocking::Sender<Rise>,
    beating: bool,
    next_beat: Instant,
    events: Vec<PlcEvent>,
    task: tokio::task::JoinHandle<Ended>,
}

impl Rig {
    fn new(on: GateOn) -> Self {
        let (bench, (eye, seen), (events, heard)) =
            (Bench::default(), blocking::channel(), mpsc::channel(256));
        let port = Arc::new(Port::new(Timing::default(), events));
        let board = Box::new(Double { bench: bench.clone(), eye: Some(seen) });
        let mut link = DigitalIo { config: config(on), board, next_part: PartId::FIRST };
        let serving = Arc::clone(&port);
        let task = tokio::spawn(async move { Protocol::serve(&mut link, &serving).await });
        port.tell(|shake, _| shake.set_ready(true));
        let state = StationState { online: true, recipe: RecipeNumber(1), ..StationState::default() };
        port.tell(|shake, _| shake.set_state(state));
        let next_beat = Instant::now();
        Self { port, heard, bench, eye, beating: true, next_beat, events: Vec::new(), task }
    }

    async fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !done(self) {
            assert!(Instant::now() < end, "waited for {what}: {:?} {:?}", self.events, self.bench.wires());
            if let Ok(Some(event)) = timeout(Duration::from_millis(2), self.heard.recv()).await {
                self.events.push(event);
            }
            if Instant::now() >= self.next_beat {
                self.next_beat = Instant::now() + Duration::from_millis(100);
                if self.beating {
                    self.port.step(|shake, _| shake.beat());
                }
            }
        }
    }

    async fn work(&mut self, time: Duration) {
        let end = Instant::now() + time;
        self.until("time", |_| Instant::now() >= end).await;
    }

    async fn ready(&mut self) {
        self.work(Duration::from_millis(150)).await;
        self.until("a station that takes triggers", |rig| rig.port.outgoing().status.trigger_ready).await;
    }

    /// A part at the eye; its number.
    async fn part(&mut self) -> PartId {
        let before = self.events.len();
        self.eye.send(Rise::Trigger).unwrap();
        let taken = |rig: &Self| {
            rig.events[before..].iter().find_map(|event| match event {
                PlcEvent::TriggerRequested { part, .. } => *part,
                _ => None,
            })
        };
        self.until("a trigger", |rig| taken(rig).is_some()).await;
        taken(self).unwrap()
    }

    fn say(&self, part: PartId, code: VerdictCode) {
        let deadline = Instant::now() + Duration::from_secs(1);
        let (reason, decision, recipe) = (0, Duration::ZERO, RecipeNumber(1));
        self.port.answer(Answer { part, code, reason, decision, recipe, deadline });
    }

    fn delivered(&self, part: PartId) -> bool {
        self.events
            .iter()
            .any(|event| matches!(event, PlcEvent::AnswerDelivered { part: of, .. } if *of == part))
    }
}

#[tokio::test]
async fn a_passed_part_and_only_that_is_let_through() {
    println!("no gpio-sim here: the lines are a double of the kernel's");
    let mut rig = Rig::new(GateOn::Pass);
    rig.ready().await;
    for code in [VerdictCode::Pass, VerdictCode::Fail, VerdictCode::Missed, VerdictCode::Pass] {
        let part = rig.part().await;
        rig.say(part, code);
        rig.until("an answer delivered", |rig| rig.delivered(part)).await;
        rig.work(Duration::from_millis(300)).await;
    }
    // A part that nobody judges.
    rig.part().await;
    rig.work(Duration::from_millis(300)).await;
    assert_eq!(rig.bench.pulses().len(), 2, "{:?}", rig.bench.wires());
    assert!(
        rig.bench.wires().history.iter().filter(|(.., alive)| *alive).count() > 3,
        "the alive line pulses"
    );
}

#[tokio::test]
async fn a_reject_gate_fires_for_each_part_that_is_not_passed() {
    let mut rig = Rig::new(GateOn::Reject);
    rig.until("the gate at rest once the station lives", |rig| !rig.bench.gate()).await;
    rig.ready().await;
    let before = rig.bench.pulses().len();
    let passed = rig.part().await;
    rig.say(passed, VerdictCode::Pass);
    rig.work(Duration::from_millis(300)).await;
    assert_eq!(rig.bench.pulses().len(), before);
    rig.part().await;
    rig.work(Duration::from_millis(300)).await;
    assert_eq!(rig.bench.pulses().len(), before + 1, "silence rejects");
    // Not taken by the station: nobody will ever judge it.
    rig.port.tell(|shake, _| shake.set_ready(false));
    rig.eye.send(Rise::Trigger).unwrap();
    rig.work(Duration::from_millis(300)).await;
    assert_eq!(rig.bench.pulses().len(), before + 2, "{:?}", rig.events);
}

#[tokio::test]
async fn an_answer_that_comes_when_the_part_is_at_the_gate_is_not_delivered() {
    let mut rig = Rig::new(GateOn::Pass);
    rig.ready().await;
    let part = rig.part().await;
    rig.work(Duration::from_millis(160)).await;
    rig.say(part, VerdictCode::Pass);
    let dropped =
        |event: &PlcEvent| matches!(event, PlcEvent::AnswerDropped { why: DropCause::PastTheGate, .. });
    rig.until("the answer dropped", |rig| rig.events.iter().any(dropped)).await;
    assert!(rig.bench.pulses().is_empty() && !rig.delivered(part));
}

#[tokio::test]
async fn a_station_whose_heart_stops_or_that_ends_leaves_the_lines_rejecting() {
    let mut rig = Rig::new(GateOn::Reject);
    rig.until("the gate at rest once the station lives", |rig| !rig.bench.gate()).await;
    rig.beating = false;
    rig.until("everything rejected", |rig| rig.bench.gate()).await;
    rig.beating = true;
    rig.until("the gate at rest again", |rig| !rig.bench.gate()).await;
    rig.port.close();
    rig.until("the end", |rig| rig.task.is_finished()).await;
    rig.until("the lines left rejecting", |rig| rig.bench.gate()).await;
}

#[tokio::test]
async fn a_line_that_does_not_read_back_as_set_breaks_the_link() {
    let mut rig = Rig::new(GateOn::Pass);
    rig.ready().await;
    rig.bench.wires().stuck = true;
    let part = rig.part().await;
    rig.say(part, VerdictCode::Pass);
    rig.until("the link broken", |rig| rig.task.is_finished()).await;
    let Ended::Broken(broken) = (&mut rig.task).await.unwrap() else { panic!("it is broken") };
    assert!(
        broken.what.contains("reads gate false") && broken.what.contains("short-circuited"),
        "{broken:?}"
    );
}

#[test]
fn all_problems_of_a_table_are_told_at_once() {
    let mut wrong = config(GateOn::Pass);
    (wrong.chip, wrong.gate.width_ms) = ("gpiochip0".into(), 0);
    wrong.gate.line = Line::Offset(4);
    let problems = wrong.problems().join("\n");
    for word in ["/dev/gpiochip0", "width_ms", "named twice"] {
        assert!(problems.contains(word), "{word} is missing in:\n{problems}");
    }
    assert!(config(GateOn::Pass).problems().is_empty());
}

#[tokio::test]
async fn a_board_that_is_not_there_is_said_so() {
    let mut nowhere = config(GateOn::Pass);
    nowhere.chip = "/dev/gpiochip999".into();
    let (events, mut heard) = mpsc::channel(8);
    let link = crate::PlcLink::start(crate::PlcConfig::DigitalIo(nowhere), events).unwrap();
    let Some(PlcEvent::LinkDown { says, .. }) = heard.recv().await else { panic!("it cannot be up") };
    assert!(says.contains("/dev/gpiochip999"), "{says}");
    link.stop().await;
}
