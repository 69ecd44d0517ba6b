//! Every transition of OPC 40100-1, tables 84 and 104, with its number, what causes it and what it makes known.
//!
//! A test holds the table against the official node set.

use State::{
    ContinuousExecution, Error, Halted, Initialized, Operational, Preoperational, Ready, SingleExecution,
};

/// A state of either machine, with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Configured, and waiting for somebody's leave.
    Preoperational = 1,
    /// Stopped.
    Halted = 2,
    /// Broken.
    Error = 3,
    /// At work; the automatic mode says how.
    Operational = 4,
    /// Automatic mode: no recipe that a job could use.
    Initialized = 5,
    /// Automatic mode: waits for a job.
    Ready = 6,
    /// Automatic mode: one part was asked for.
    SingleExecution = 7,
    /// Automatic mode: a run has a name, and the line's parts belong to it.
    ContinuousExecution = 8,
}

impl State {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Preoperational,
        Halted,
        Error,
        Operational,
        Initialized,
        Ready,
        SingleExecution,
        ContinuousExecution,
    ];

    /// As the node set calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Preoperational => "Preoperational",
            Halted => "Halted",
            Error => "Error",
            Operational => "Operational",
            Initialized => "Initialized",
            Ready => "Ready",
            SingleExecution => "SingleExecution",
            ContinuousExecution => "ContinuousExecution",
        }
    }

    /// Number of its node in the node set.
    pub fn node(self) -> u32 {
        match self {
            Preoperational => 5028,
            Halted => 5029,
            Error => 5030,
            Operational => 5031,
            Initialized => 5056,
            Ready => 5057,
            SingleExecution => 5058,
            ContinuousExecution => 5059,
        }
    }

    /// Whether it is one of the automatic mode.
    pub fn is_of_automatic_mode(self) -> bool {
        self as u8 > Operational as u8
    }
}

/// What a client may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Back to the beginning; waits for [`Call::SelectModeAutomatic`].
    Reset,
    /// Stop, until [`Call::Reset`].
    Halt,
    /// To work.
    SelectModeAutomatic,
    /// Make a recipe ready for jobs.
    PrepareRecipe,
    /// Take it away from jobs.
    UnprepareRecipe,
    /// Look at one part.
    StartSingleJob,
    /// Name a run.
    StartContinuous,
    /// End the job.
    Stop,
    /// End the job at once.
    Abort,
}

impl Call {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Reset,
        Self::Halt,
        Self::SelectModeAutomatic,
        Self::PrepareRecipe,
        Self::UnprepareRecipe,
        Self::StartSingleJob,
        Self::StartContinuous,
        Self::Stop,
        Self::Abort,
    ];

    /// As the node set calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "Reset",
            Self::Halt => "Halt",
            Self::SelectModeAutomatic => "SelectModeAutomatic",
            Self::PrepareRecipe => "PrepareRecipe",
            Self::UnprepareRecipe => "UnprepareRecipe",
            Self::StartSingleJob => "StartSingleJob",
            Self::StartContinuous => "StartContinuous",
            Self::Stop => "Stop",
            Self::Abort => "Abort",
        }
    }
}

/// An event that a transition raises beside `StateChanged`, which each does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// `ErrorEventType`.
    Error,
    /// `ErrorResolvedEventType`.
    ErrorResolved,
    /// `RecipePreparedEventType`.
    RecipePrepared,
    /// `JobStartedEventType`.
    JobStarted,
    /// `ReadyEventType`.
    Ready,
}

/// One step from state to state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Number of its node in the node set.
    pub node: u32,
    /// `TransitionNumber`.
    pub number: u32,
    /// As the node set calls it.
    pub name: &'static str,
    /// From this state.
    pub from: State,
    /// To this one.
    pub to: State,
    /// The call that causes it; `None` where the station does so by itself.
    pub cause: Option<Call>,
    /// What it makes known.
    pub effect: Option<Effect>,
}

impl Transition {
    /// The one from here to there for this reason, if there is one.
    pub fn find(from: State, to: State, cause: Option<Call>) -> Option<&'static Self> {
        TRANSITIONS
            .iter()
            .find(|transition| (transition.from, transition.to, transition.cause) == (from, to, cause))
    }
}

const fn step(
    node: u32,
    number: u32,
    name: &'static str,
    (from, to): (State, State),
    cause: Option<Call>,
    effect: Option<Effect>,
) -> Transition {
    Transition { node, number, name, from, to, cause, effect }
}

/// All that the station makes. The node set's steps for products (562, 652) are not: it has no products. Nor is
/// `PreoperationalToInitialized` (150, 151): it says of two machines at once what 140 and 141 say of one.
///
/// The node set gives `OperationalToErrorAuto` no `ErrorEventType`; the text wants it of every way into `Error`.
#[rustfmt::skip]
pub const TRANSITIONS: &[Transition] = &[
    step(5033, 120, "PreoperationalToHaltedAuto", (Preoperational, Halted), None, None),
    step(5032, 121, "PreoperationalToHalted", (Preoperational, Halted), Some(Call::Halt), None),
    step(5034, 130, "PreoperationalToErrorAuto", (Preoperational, Error), None, Some(Effect::Error)),
    step(5254, 140, "PreoperationalToOperationalAuto", (Preoperational, Operational), None, None),
    step(5253, 141, "PreoperationalToOperational", (Preoperational, Operational), Some(Call::SelectModeAutomatic), None),
    step(5038, 210, "HaltedToPreoperationalAuto", (Halted, Preoperational), None, None),
    step(5037, 211, "HaltedToPreoperational", (Halted, Preoperational), Some(Call::Reset), None),
    step(5040, 310, "ErrorToPreoperationalAuto", (Error, Preoperational), None, None),
    step(5039, 311, "ErrorToPreoperational", (Error, Preoperational), Some(Call::Reset), None),
    step(5042, 320, "ErrorToHaltedAuto", (Error, Halted), None, None),
    step(5041, 321, "ErrorToHalted", (Error, Halted), Some(Call::Halt), None),
    step(5255, 340, "ErrorToOperationalAuto", (Error, Operational), None, Some(Effect::ErrorResolved)),
    step(5048, 410, "OperationalToPreoperationalAuto", (Operational, Preoperational), None, None),
    step(5047, 411, "OperationalToPreoperational", (Operational, Preoperational), Some(Call::Reset), None),
    step(5050, 420, "OperationalToHaltedAuto", (Operational, Halted), None, None),
    step(5049, 421, "OperationalToHalted", (Operational, Halted), Some(Call::Halt), None),
    step(5051, 430, "OperationalToErrorAuto", (Operational, Error), None, Some(Effect::Error)),
    step(5061, 560, "InitializedToReadyAuto", (Initialized, Ready), None, None),
    step(5060, 561, "InitializedToReadyRecipe", (Initialized, Ready), Some(Call::PrepareRecipe), Some(Effect::RecipePrepared)),
    step(5063, 650, "ReadyToInitializedAuto", (Ready, Initialized), None, None),
    step(5062, 651, "ReadyToInitializedRecipe", (Ready, Initialized), Some(Call::UnprepareRecipe), None),
    step(5064, 671, "ReadyToSingleExecution", (Ready, SingleExecution), Some(Call::StartSingleJob), Some(Effect::JobStarted)),
    step(5066, 681, "ReadyToContinuousExecution", (Ready, ContinuousExecution), Some(Call::StartContinuous), Some(Effect::JobStarted)),
    step(5070, 760, "SingleExecutionToReadyAuto", (SingleExecution, Ready), None, Some(Effect::Ready)),
    step(5068, 761, "SingleExecutionToReadyStop", (SingleExecution, Ready), Some(Call::Stop), Some(Effect::Ready)),
    step(5069, 762, "SingleExecutionToReadyAbort", (SingleExecution, Ready), Some(Call::Abort), Some(Effect::Ready)),
    step(5073, 860, "ContinuousExecutionToReadyAuto", (ContinuousExecution, Ready), None, Some(Effect::Ready)),
    step(5071, 861, "ContinuousExecutionToReadyStop", (ContinuousExecution, Ready), Some(Call::Stop), Some(Effect::Ready)),
    step(5072, 862, "ContinuousExecutionToReadyAbort", (ContinuousExecution, Ready), Some(Call::Abort), Some(Effect::Ready)),
];
