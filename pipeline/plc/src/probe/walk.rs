//! What each step asks of the programmer, waits for, and makes of it.

use super::{Outcome, Probe, Step};
use crate::{FromPlc, PlcEvent, StationState, VerdictCode};
use plumb_inspection::{PartId, RecipeNumber};
use std::time::{Duration, Instant};

/// For moves that the PLC's program makes by itself.
const BY_ITSELF: Duration = Duration::from_secs(3);

/// How long it is watched for what it must not do.
const TEMPTED: Duration = Duration::from_secs(3);

/// A station is lost when its heartbeat stands still for this long; until then a Trigger is no mistake.
const LOST: Duration = Duration::from_millis(300);

impl Probe<'_> {
    pub(super) async fn take(&mut self, step: Step) -> Outcome {
        match step {
            Step::Link => self.link_step().await,
            Step::Heartbeat => self.heartbeat_step().await,
            Step::Enable => self.enable_step().await,
            Step::Trigger => self.trigger_step(step).await,
            Step::Fail => self.answer_step(step, VerdictCode::Fail).await,
            Step::Missed => self.answer_step(step, VerdictCode::Missed).await,
            Step::Late => self.answer_step(step, VerdictCode::Late).await,
            Step::Pass => self.answer_step(step, VerdictCode::Pass).await,
            Step::NotReady => self.not_ready_step().await,
            Step::StationLost => self.station_lost_step().await,
        }
    }

    fn said(&self) -> FromPlc {
        self.link.seen().from_plc.unwrap_or_default()
    }

    fn judge(&self) {
        let recipe = RecipeNumber(self.said().recipe.0.max(1));
        self.show(StationState { online: true, recipe, ..StationState::default() });
        self.link.set_ready(true);
    }

    async fn link_step(&mut self) -> Outcome {
        self.onlooker.asks(Step::Link, "connect the PLC and let its program run");
        let began = Instant::now();
        let up = self.until(self.patience, |probe| {
            let seen = probe.link.seen();
            (probe.link_down.is_none() && seen.from_plc.is_some()).then_some(())
        });
        match up.await {
            Some(()) => good(Step::Link, format!("the PLC talks, after {} ms", began.elapsed().as_millis())),
            None => {
                let says =
                    self.link_down.clone().unwrap_or_else(|| "nothing was heard of the PLC".to_owned());
                bad(Step::Link, says, "check cable, address, and that the protocol is enabled in the PLC")
            }
        }
    }

    async fn heartbeat_step(&mut self) -> Outcome {
        self.onlooker.asks(Step::Heartbeat, "let word 1 count: +1 every 100 ms");
        let (began, mut beats) = (Instant::now(), Vec::new());
        let mut last = self.said().heartbeat;
        self.until(Duration::from_secs(2), |probe| {
            let beat = probe.said().heartbeat;
            if beat != last {
                beats.push((Instant::now(), beat.wrapping_sub(last)));
                last = beat;
            }
            None::<()>
        })
        .await;
        self.wrong.clear(); // said better here
        let gaps: Vec<u128> = std::iter::once(began)
            .chain(beats.iter().map(|(at, _)| *at))
            .zip(beats.iter().map(|(at, _)| *at).chain([Instant::now()]))
            .map(|(from, to)| (to - from).as_millis())
            .collect();
        let longest = gaps.iter().max().copied().unwrap_or(0);
        let change = "add 1 to word 1 every 100 ms, and let it wrap from 65535 to 0";
        if beats.is_empty() {
            return bad(Step::Heartbeat, "word 1 has stood still for 2 s", change);
        }
        let says = format!("word 1 moved {} times in 2 s, longest pause {longest} ms", beats.len());
        let jumps = beats.iter().filter(|(_, by)| *by > 100).count();
        if jumps > 0 {
            let says = format!("word 1 goes back and forth ({jumps} of {} moves)", beats.len());
            bad(
                Step::Heartbeat,
                says,
                "count, do not toggle: a toggling bit read at its own pace seems to stand still",
            )
        } else if longest > 300 {
            bad(Step::Heartbeat, says, change)
        } else {
            good(Step::Heartbeat, says)
        }
    }

    async fn enable_step(&mut self) -> Outcome {
        self.judge();
        self.onlooker.asks(Step::Enable, "set TriggerEnable (word 0 bit 0)");
        let began = Instant::now();
        let set = self.until(self.patience, |probe| probe.said().control.trigger_enable.then_some(()));
        if set.await.is_none() {
            return bad(
                Step::Enable,
                "TriggerEnable did not come",
                "set word 0 bit 0 when the line may inspect; without it every Trigger is a missed one",
            );
        }
        good(Step::Enable, format!("TriggerEnable seen after {} ms", began.elapsed().as_millis()))
    }

    /// A part, taken and Trigger dropped again.
    async fn trigger_step(&mut self, step: Step) -> Outcome {
        self.judge();
        if self.said().control.trigger {
            self.onlooker.asks(step, "Trigger (word 0 bit 1) is 1 already: reset it first");
            let low = self.until(self.patience, |probe| (!probe.said().control.trigger).then_some(()));
            if low.await.is_none() {
                let change =
                    "reset word 0 bit 1 at the start and after each TriggerAck: only its rise is a part";
                return bad(step, "Trigger stays 1", change);
            }
        }
        self.onlooker
            .asks(step, "set Trigger (word 0 bit 1) with a part id in words 2-3; TriggerReady is shown");
        self.events.clear();
        let taken = self.until(self.patience, |probe| {
            probe.events.iter().find_map(|event| match event {
                PlcEvent::TriggerRequested { part, encoder, .. } => Some((*part, *encoder)),
                _ => None,
            })
        });
        let Some((part, encoder)) = taken.await else {
            let change = "wait for TriggerReady (word 10 bit 1), write the part id, then set word 0 bit 1";
            return bad(step, "no Trigger came", change);
        };
        let acked = Instant::now();
        let dropped = self.until(BY_ITSELF, |probe| (!probe.said().control.trigger).then_some(())).await;
        let after = acked.elapsed().as_millis();
        if dropped.is_none() {
            let change = "reset Trigger (word 0 bit 1) in the scan that sees TriggerAck (word 10 bit 2)";
            return bad(step, "TriggerAck was shown and Trigger did not fall", change);
        }
        let says = match part {
            Some(part) => {
                format!("part {part} at encoder {encoder}; Trigger fell {after} ms after TriggerAck")
            }
            None => format!(
                "a part without id (words 2-3 are 0: the station numbers it, and the PLC must know its answer by order); \
                 Trigger fell {after} ms after TriggerAck"
            ),
        };
        good(step, says)
    }

    /// `code` for a part, shown and taken.
    async fn answer_step(&mut self, step: Step, code: VerdictCode) -> Outcome {
        if self.open.is_none() {
            let trigger = self.trigger_step(step).await;
            if !trigger.ok {
                return trigger;
            }
            self.onlooker.note(&trigger.says);
        }
        let Some(part) = self.open else { return bad(step, "no part is open", "trigger one first") };
        self.onlooker.asks(step, &asks_of(part, code));
        self.events.clear();
        let late = code == VerdictCode::Late;
        let code = if late { VerdictCode::Fail } else { code };
        if !self.say(part, code, late) {
            return bad(step, "the link has ended", "start the probe again");
        }
        let delivered = self.until(BY_ITSELF, |probe| {
            probe.events.iter().find_map(|event| match event {
                PlcEvent::AnswerDelivered { part: of, code, took } if *of == part => Some(Ok((*code, *took))),
                PlcEvent::AnswerDropped { part: of, why } if *of == part => Some(Err(why.to_string())),
                _ => None,
            })
        });
        let (code, took) = match delivered.await {
            Some(Ok(delivered)) => delivered,
            Some(Err(why)) => {
                return bad(
                    step,
                    format!("the answer of part {part} was not taken: {why}"),
                    "read words 10-19 every scan",
                );
            }
            None => return bad(step, "the answer was not read", "read words 10-19 every scan"),
        };
        let name = code.as_str().to_uppercase();
        if !self.said().control.buffer_results {
            // It stands until the next one, and is withdrawn by itself.
            let gone =
                self.until(BY_ITSELF, |probe| (!probe.link.seen().to_plc.status.results_valid).then_some(()));
            gone.await;
            return good(
                step,
                format!(
                    "{name} of part {part} delivered in {} ms; BufferResults is 0, so nothing says whether it was taken",
                    took.as_millis()
                ),
            );
        }
        let shown = Instant::now();
        let acked = self.until(BY_ITSELF, |probe| probe.said().control.results_ack.then(Instant::now)).await;
        let fell = self.until(BY_ITSELF, |probe| (!probe.said().control.results_ack).then_some(())).await;
        match (acked, fell) {
            (Some(acked), Some(())) => good(
                step,
                format!(
                    "{name} of part {part} delivered in {} ms, ResultsAck after {} ms, and dropped again",
                    took.as_millis(),
                    (acked - shown).as_millis(),
                ),
            ),
            (Some(_), None) => bad(
                step,
                "ResultsAck does not fall",
                "reset ResultsAck (word 0 bit 3) in the scan that sees ResultsValid (word 10 bit 7) 0",
            ),
            (None, _) => bad(
                step,
                format!("{name} of part {part} was shown, and ResultsAck did not come"),
                "set ResultsAck (word 0 bit 3) when ResultsValid is 1 and the answer is taken, or clear BufferResults",
            ),
        }
    }

    async fn not_ready_step(&mut self) -> Outcome {
        self.judge();
        self.link.set_ready(false);
        self.onlooker
            .asks(Step::NotReady, "let parts come: TriggerReady is 0 now, and no Trigger may be set");
        let tempted = self.watch(TEMPTED).await;
        self.link.set_ready(true);
        match tempted {
            None => good(Step::NotReady, "no Trigger while TriggerReady was 0; those parts must be rejected"),
            Some(part) => bad(
                Step::NotReady,
                format!("Trigger was set{part} while TriggerReady was 0"),
                "set Trigger only while TriggerReady (word 10 bit 1) is 1, and reject the parts it does not get to",
            ),
        }
    }

    async fn station_lost_step(&mut self) -> Outcome {
        self.judge();
        self.onlooker.asks(
            Step::StationLost,
            "let parts come: the station's heartbeat (word 11) stands still now; the PLC must reject all, and stop the \
             line after 1 s or three parts",
        );
        self.beating = false;
        self.until(LOST, |_| None::<()>).await;
        self.events.clear();
        let tempted = self.watch(TEMPTED).await;
        self.beating = true;
        self.open = None;
        match tempted {
            None => good(
                Step::StationLost,
                "no Trigger while the heartbeat stood still; see for yourself that all was rejected and the line stopped",
            ),
            Some(part) => bad(
                Step::StationLost,
                format!("Trigger was set{part} though word 11 had stood still for more than 300 ms"),
                "watch word 11: when it has not changed for 300 ms, reject every part on its way and set no Trigger",
            ),
        }
    }

    /// Waits for `time`; gives " for part N" if a Trigger came meanwhile.
    async fn watch(&mut self, time: Duration) -> Option<String> {
        let came = self.until(time, |probe| {
            probe.events.iter().find_map(|event| match event {
                PlcEvent::TriggerRequested { part, .. } | PlcEvent::MissedTrigger { part, .. } => Some(*part),
                _ => None,
            })
        });
        let came = came.await;
        self.wrong.clear(); // said better by who asked
        came.map(|part| part.map_or(String::new(), |part| format!(" for part {part}")))
    }
}

fn asks_of(part: PartId, code: VerdictCode) -> String {
    let name = code.as_str().to_uppercase();
    let then =
        if code == VerdictCode::Pass { "the gate must let it through" } else { "the gate must reject it" };
    format!(
        "{name} ({:#06x}) for part {part} is shown: take it, set ResultsAck (word 0 bit 3); {then}",
        code.word()
    )
}

fn good(step: Step, says: impl Into<String>) -> Outcome {
    Outcome { step, ok: true, took: Duration::ZERO, says: says.into(), change: None }
}

fn bad(step: Step, says: impl Into<String>, change: &str) -> Outcome {
    Outcome { step, ok: false, took: Duration::ZERO, says: says.into(), change: Some(change.to_owned()) }
}
