//! When to open a camera, when to give it up, and how long to wait before the next try. Pure: time comes in.
//!
//! The first connect is a reconnect after a wait of nothing; there is no second path.

use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// How patiently a camera is watched. Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatchConfig {
    /// A free-running camera without a frame for so long is stalled. Cameras that wait for triggers are never stalled.
    pub stall_ms: u64,
    /// From opening a free-running camera to its first frame; finding a camera on the network takes seconds.
    pub connect_ms: u64,
    /// Wait before the first retry; each failed try doubles it.
    pub backoff_min_ms: u64,
    /// The longest wait between two tries.
    pub backoff_max_ms: u64,
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self { stall_ms: 1000, connect_ms: 10_000, backoff_min_ms: 100, backoff_max_ms: 5000 }
    }
}

/// The state of one camera's connection.
#[derive(Clone, Debug)]
pub(crate) struct Reconnect {
    watch: WatchConfig,
    silence_is_normal: bool,
    phase: Phase,
    /// Failed tries since the last good frame.
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Waiting { open_at: Instant },
    Opening,
    Connecting { give_up_at: Instant },
    Open { last_frame: Option<Instant> },
    Over,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event {
    /// Time passed; nothing else.
    Tick,
    /// The opening that was asked for succeeded; frames may come.
    Opened,
    /// A good frame arrived at this moment.
    Frame { at: Instant },
    /// The opening did not succeed, or the stream broke off.
    Failed,
    /// The stream came to its end and is to be played again.
    Again,
    /// The stream came to its end, which was wanted.
    Ended,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Action {
    Nothing,
    /// Close what is open, if anything, and open.
    Open,
    /// Close, say that the camera is down, wait.
    GiveUp {
        retry_in: Duration,
        /// True if nothing failed: the pictures just stayed away.
        stalled: bool,
    },
    /// Close for good.
    End,
}

impl Reconnect {
    pub(crate) fn new(watch: WatchConfig, silence_is_normal: bool, now: Instant) -> Self {
        Self { watch, silence_is_normal, phase: Phase::Waiting { open_at: now }, failures: 0 }
    }

    /// Takes what happened, gives what to do.
    pub(crate) fn on(&mut self, now: Instant, event: Event) -> Action {
        match (event, self.phase) {
            (_, Phase::Over) => Action::Nothing,
            (Event::Tick, Phase::Waiting { open_at }) if now >= open_at => self.open(),
            (_, Phase::Waiting { .. }) => Action::Nothing, // a late word from a stream already closed
            (Event::Tick, _) => match self.wake_at() {
                Some(at) if now >= at => self.give_up(now, true),
                _ => Action::Nothing,
            },
            (Event::Opened, Phase::Opening) => {
                let give_up_at = now + Duration::from_millis(self.watch.connect_ms);
                self.phase = if self.silence_is_normal {
                    Phase::Open { last_frame: None }
                } else {
                    Phase::Connecting { give_up_at }
                };
                Action::Nothing
            }
            (Event::Opened, _) => Action::Nothing, // its first frame overtook the word that it is open
            (Event::Frame { at }, _) => {
                self.failures = 0;
                self.phase = Phase::Open { last_frame: Some(at) };
                Action::Nothing
            }
            // An end without a single frame would be played again and again as fast as the machine can.
            (Event::Again, Phase::Open { last_frame: Some(_) }) => self.open(),
            (Event::Failed | Event::Again, _) => self.give_up(now, false),
            (Event::Ended, _) => {
                self.phase = Phase::Over;
                Action::End
            }
        }
    }

    /// When to tick at the latest; `None` if only an event can change anything.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Waiting { open_at } => Some(open_at),
            Phase::Connecting { give_up_at } => Some(give_up_at),
            Phase::Open { last_frame: Some(at) } if !self.silence_is_normal => {
                Some(at + Duration::from_millis(self.watch.stall_ms))
            }
            Phase::Open { .. } | Phase::Opening | Phase::Over => None,
        }
    }

    fn open(&mut self) -> Action {
        self.phase = Phase::Opening;
        Action::Open
    }

    fn give_up(&mut self, now: Instant, stalled: bool) -> Action {
        let doubled = self.watch.backoff_min_ms.saturating_mul(1 << self.failures.min(32));
        let retry_in = Duration::from_millis(doubled.min(self.watch.backoff_max_ms));
        self.failures = self.failures.saturating_add(1);
        self.phase = Phase::Waiting { open_at: now + retry_in };
        Action::GiveUp { retry_in, stalled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WATCH: WatchConfig =
        WatchConfig { stall_ms: 1000, connect_ms: 3000, backoff_min_ms: 100, backoff_max_ms: 5000 };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_first_connect_is_due_at_once_and_by_the_same_path() {
        let t = Instant::now();
        let mut camera = Reconnect::new(WATCH, false, t);
        assert_eq!(camera.wake_at(), Some(t));
        assert_eq!(camera.on(t, Event::Tick), Action::Open);
    }

    #[test]
    fn waits_double_to_the_cap_and_start_anew_after_a_good_frame() {
        let mut t = Instant::now();
        let mut camera = Reconnect::new(WATCH, false, t);
        let mut fail = |camera: &mut Reconnect, frame: bool| {
            assert_eq!(camera.on(t, Event::Tick), Action::Open);
            camera.on(t, Event::Opened);
            if frame {
                camera.on(t, Event::Frame { at: t });
            }
            let Action::GiveUp { retry_in, .. } = camera.on(t, Event::Failed) else { panic!("not given up") };
            t += retry_in;
            retry_in.as_millis()
        };
        let waits: Vec<u128> = (0..8).map(|_| fail(&mut camera, false)).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(fail(&mut camera, true), 100);
        assert_eq!(fail(&mut camera, false), 200);
    }

    #[test]
    fn a_camera_is_stalled_exactly_stall_ms_after_its_last_frame() {
        let t = Instant::now();
        let mut camera = Reconnect::new(WATCH, false, t);
        camera.on(t, Event::Tick);
        camera.on(t, Event::Opened);
        camera.on(t + ms(50), Event::Frame { at: t + ms(40) });
        assert_eq!(camera.on(t + ms(1039), Event::Tick), Action::Nothing);
        assert!(matches!(camera.on(t + ms(1040), Event::Tick), Action::GiveUp { stalled: true, .. }));
    }

    #[test]
    fn a_camera_that_waits_for_triggers_may_be_silent_for_a_day() {
        let t = Instant::now();
        let mut camera = Reconnect::new(WATCH, true, t);
        camera.on(t, Event::Tick);
        camera.on(t, Event::Opened);
        assert_eq!(camera.wake_at(), None);
        assert_eq!(camera.on(t + ms(86_400_000), Event::Tick), Action::Nothing);
    }

    #[test]
    fn an_end_without_a_picture_is_a_failure_and_no_busy_loop() {
        let t = Instant::now();
        let mut camera = Reconnect::new(WATCH, true, t);
        camera.on(t, Event::Tick);
        camera.on(t, Event::Opened);
        assert_eq!(camera.on(t, Event::Again), Action::GiveUp { retry_in: ms(100), stalled: false });
    }

    fn events() -> impl Strategy<Value = Vec<(u64, u8)>> {
        prop::collection::vec((0..2500u64, 0..6u8), 1..200)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn whatever_happens_it_is_opened_only_when_closed_and_never_before_its_wait_is_over(
            steps in events(), silent in any::<bool>(),
        ) {
            let mut now = Instant::now();
            let mut camera = Reconnect::new(WATCH, silent, now);
            let (mut open, mut not_before, mut over) = (false, now, false);
            for (wait, what) in steps {
                now += ms(wait);
                let event = match what {
                    0 | 1 => Event::Tick,
                    2 => Event::Opened,
                    3 => Event::Frame { at: now },
                    4 => Event::Failed,
                    _ => if wait % 7 == 0 { Event::Ended } else { Event::Again },
                };
                let action = camera.on(now, event);
                prop_assert!(!over || action == Action::Nothing);
                match action {
                    Action::Open => {
                        prop_assert!(now >= not_before);
                        prop_assert!(!open || event == Event::Again);
                        open = true;
                    }
                    Action::GiveUp { retry_in, .. } => {
                        prop_assert!(open);
                        prop_assert!(retry_in >= ms(100) && retry_in <= ms(5000));
                        open = false;
                        not_before = now + retry_in;
                    }
                    Action::End => (open, over) = (false, true),
                    Action::Nothing => {}
                }
                // A closed camera always has a time at which it will be tried again.
                prop_assert!(open || over || camera.wake_at() == Some(not_before));
            }
        }
    }
}
