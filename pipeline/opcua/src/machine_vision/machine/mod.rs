//! The two state machines of OPC 40100-1 as one value: no clock, no I/O, no nodes. Tells which transitions follow.
//!
//! Whatever the outer state is but `Operational`, every part of the line is answered, and answered `Missed`.

mod table;
#[cfg(test)]
mod tests;

pub use table::{Call, Effect, State, TRANSITIONS, Transition};

/// Where both machines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    outer: State,
    /// `None` where the outer one is not `Operational`.
    mode: Option<State>,
    /// A client halted or reset it: the station does not go to work again by itself.
    held: bool,
    /// A client took the recipe away from jobs: it does not come back by itself.
    unprepared: bool,
}

/// What the station does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Happens {
    /// It may judge (running, degraded).
    Released,
    /// It may not judge (not_released).
    Withdrawn,
    /// It was told to stop (stopped).
    Stopped,
    /// It is broken (fault).
    Broke,
    /// The job has come to its end.
    JobDone,
    /// A recipe is there for jobs.
    RecipeThere,
    /// None is.
    RecipeGone,
}

impl Happens {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Released,
        Self::Withdrawn,
        Self::Stopped,
        Self::Broke,
        Self::JobDone,
        Self::RecipeThere,
        Self::RecipeGone,
    ];
}

/// The call has no place in the state the machine is in. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not for the state {}", call.as_str(), state.as_str())]
pub struct WrongState {
    /// What was called.
    pub call: Call,
    /// Where the machine is.
    pub state: State,
}

/// What follows, in this order.
pub type Steps = Vec<&'static Transition>;

impl Default for Machine {
    fn default() -> Self {
        Self { outer: State::Preoperational, mode: None, held: false, unprepared: false }
    }
}

impl Machine {
    /// The outer machine's state.
    pub fn outer(&self) -> State {
        self.outer
    }

    /// The automatic mode's state; `None` where it is not active.
    pub fn mode(&self) -> Option<State> {
        self.mode
    }

    /// The state that says most: the automatic mode's, where there is one.
    pub fn state(&self) -> State {
        self.mode.unwrap_or(self.outer)
    }

    /// Whether a client halted or reset it, and nobody has selected the automatic mode since.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Whether `call` would be taken now.
    pub fn takes(&self, call: Call) -> bool {
        self.clone().call(call).is_ok()
    }

    /// A client calls. A recipe's preparation takes its time: this is called when it is done.
    ///
    /// # Errors
    /// The call has no place here.
    pub fn call(&mut self, call: Call) -> Result<Steps, WrongState> {
        use State::{Initialized, Operational, Preoperational, Ready};
        let wrong = WrongState { call, state: self.state() };
        let to = match call {
            Call::Reset => Preoperational,
            Call::Halt => State::Halted,
            Call::SelectModeAutomatic => Operational,
            Call::PrepareRecipe if self.mode == Some(Ready) => return Ok(Steps::new()), // another beside it, or again
            Call::PrepareRecipe | Call::Stop | Call::Abort => Ready,
            Call::UnprepareRecipe => Initialized,
            Call::StartSingleJob => State::SingleExecution,
            Call::StartContinuous => State::ContinuousExecution,
        };
        let from = if to.is_of_automatic_mode() { self.mode.ok_or(wrong)? } else { self.outer };
        let step = Transition::find(from, to, Some(call)).ok_or(wrong)?;
        match call {
            Call::Reset | Call::Halt => self.held = true,
            Call::SelectModeAutomatic => self.held = false,
            Call::PrepareRecipe => self.unprepared = false,
            Call::UnprepareRecipe => self.unprepared = true,
            Call::StartSingleJob | Call::StartContinuous | Call::Stop | Call::Abort => {}
        }
        self.take(step);
        Ok(vec![step])
    }

    /// The station does something by itself. What has no place here changes nothing.
    pub fn happens(&mut self, what: Happens) -> Steps {
        use State::{Error, Halted, Initialized, Operational, Preoperational, Ready};
        let way: &[State] = match what {
            Happens::Released if self.held => &[],
            Happens::Released if self.outer == Halted => &[Preoperational, Operational],
            Happens::Released => &[Operational],
            Happens::Withdrawn if self.held && self.outer == Halted => &[],
            Happens::Withdrawn => &[Preoperational],
            Happens::Stopped => &[Halted],
            Happens::Broke => &[Error],
            Happens::JobDone => &[Ready],
            Happens::RecipeThere if self.unprepared || self.mode != Some(Initialized) => &[],
            Happens::RecipeThere => &[Ready],
            Happens::RecipeGone => &[Initialized],
        };
        let mut steps = Steps::new();
        for to in way {
            let from = if to.is_of_automatic_mode() { self.mode } else { Some(self.outer) };
            let ends_no_job = what == Happens::JobDone && from == Some(Initialized);
            let step = from.filter(|_| !ends_no_job).and_then(|from| Transition::find(from, *to, None));
            let Some(step) = step else { break };
            self.take(step);
            steps.push(step);
        }
        steps
    }

    fn take(&mut self, step: &Transition) {
        if step.to.is_of_automatic_mode() {
            self.mode = Some(step.to);
            return;
        }
        self.outer = step.to;
        self.mode = (step.to == State::Operational).then_some(State::Initialized);
        self.unprepared = false;
    }
}
