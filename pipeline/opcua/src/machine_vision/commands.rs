//! What a client wants of the station, and what the station tells. The station implements [`Commands`].

use plumb_inspection::PartId;
use std::time::{Duration, SystemTime};

/// The station, as its OPC UA server asks it. Every method returns at once (but [`Commands::recipes`] and
/// [`Commands::prepare`], which may read a file) and is called from the server's own threads alone.
pub trait Commands: Send + Sync + 'static {
    /// What it is doing, and the sentences that explain it. Asked some times a second.
    fn condition(&self) -> Condition;

    /// A part begins because a client asked.
    ///
    /// # Errors
    /// It would not be judged.
    fn trigger(&self) -> Result<PartId, Refusal>;

    /// Every part is answered `Missed` from now on, until [`Commands::release`]. `says` names who wants it and why.
    ///
    /// # Errors
    /// The station is stopping.
    fn hold(&self, says: &str) -> Result<(), Refusal>;

    /// Ends a hold.
    ///
    /// # Errors
    /// The station could not judge anyway: it is broken or stopping, or its recipe may not judge.
    fn release(&self) -> Result<(), Refusal>;

    /// Every recipe there is.
    fn recipes(&self) -> Vec<Recipe>;

    /// The one by which the next part is judged.
    fn current_recipe(&self) -> Option<Recipe>;

    /// Loads a recipe, by name or number, and lets it judge as soon as it can. Its coming is seen in
    /// [`Commands::current_recipe`]; a failure is told by [`Commands::preparation`].
    ///
    /// # Errors
    /// There is none, or it has problems.
    fn prepare(&self, recipe: &str) -> Result<Recipe, Refusal>;

    /// How the last preparation is getting on.
    fn preparation(&self) -> Preparation;

    /// A client has seen every condition and says that it is dealt with.
    fn confirmed_all(&self, says: &str);
}

/// The five states of a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doing {
    /// Not yet allowed to judge, or held.
    NotReleased,
    /// Judging.
    Running,
    /// Judging what it can.
    Degraded,
    /// Told to stop.
    Stopped,
    /// Broken.
    Fault,
}

/// A state with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// One of the five.
    pub doing: Doing,
    /// Empty while all is well.
    pub reasons: Vec<String>,
}

/// A recipe, as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// By which it is asked for.
    pub name: String,
    /// By which the PLC asks for it, and its version for clients; `None` where it is not known any more.
    pub number: Option<u16>,
    /// SHA-256 of its file, as hexadecimal digits.
    pub digest: String,
}

impl Recipe {
    /// Whether it goes by this name or number.
    pub fn is_called(&self, id: &str) -> bool {
        self.name == id || self.number.is_some_and(|number| number.to_string() == id)
    }
}

/// How a preparation is getting on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// None was asked for, or it is live.
    Done,
    /// It is being read, loaded or warmed.
    Working,
    /// It will not come, and why.
    Failed(String),
}

/// What came of a part.
#[derive(Clone, Debug, PartialEq)]
pub struct InspectionResult {
    /// Whose.
    pub part: PartId,
    /// Read from the part, if it has one.
    pub serial: Option<String>,
    /// What the line was told.
    pub verdict: Verdict,
    /// Why, each a sentence.
    pub reasons: Vec<String>,
    /// By which it was judged.
    pub recipe: Recipe,
    /// When it was triggered.
    pub triggered_at: SystemTime,
    /// From the trigger to the pictures, where that is known.
    pub acquisition: Option<Duration>,
    /// From the trigger to the verdict.
    pub decision: Duration,
    /// Whether the line is a simulated one.
    pub simulated: bool,
}

/// The verdict codes of the register block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Released.
    Pass,
    /// Rejected.
    Fail,
    /// Could not be judged; rejected.
    Missed,
    /// Judged after the deadline; rejected.
    Late,
}

impl Verdict {
    /// The spelling of records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Missed => "missed",
            Self::Late => "late",
        }
    }
}

/// Why a call came to nothing: the `Error` that a method gives back. All are below zero, as OPC 40100-1 wants it of
/// codes that are an application's own; zero is success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The call has no place in this state.
    #[error("{0}")]
    WrongState(String),
    /// There is no such recipe.
    #[error("{0}")]
    UnknownRecipe(String),
    /// There is one of this name, but not with this version or hash.
    #[error("{0}")]
    OtherRecipe(String),
    /// The recipe cannot be used as it is.
    #[error("{0}")]
    BadRecipe(String),
    /// The job wants a recipe or product that is not prepared.
    #[error("{0}")]
    NotPrepared(String),
    /// The station could not do it now: broken, held, stopping.
    #[error("{0}")]
    NotReady(String),
    /// There is no such result; it may be too old.
    #[error("{0}")]
    UnknownResult(String),
    /// There is no such configuration.
    #[error("{0}")]
    UnknownConfiguration(String),
    /// There is no such handle.
    #[error("{0}")]
    UnknownHandle(String),
    /// An argument says nothing that could be done.
    #[error("{0}")]
    BadArgument(String),
}

impl Refusal {
    /// The number that clients get.
    pub fn code(&self) -> i32 {
        match self {
            Self::WrongState(_) => -1,
            Self::UnknownRecipe(_) => -2,
            Self::OtherRecipe(_) => -3,
            Self::BadRecipe(_) => -4,
            Self::NotPrepared(_) => -5,
            Self::NotReady(_) => -6,
            Self::UnknownResult(_) => -7,
            Self::UnknownConfiguration(_) => -8,
            Self::UnknownHandle(_) => -9,
            Self::BadArgument(_) => -10,
        }
    }
}
