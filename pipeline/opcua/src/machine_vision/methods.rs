//! Every method of the server: where it hangs, after which declaration of the node set, and who may call it.

use crate::security::Role;
use Method::{
    Abort, Acknowledge, ActivateConfiguration, Confirm, ConfirmAll, GetConfigurationById,
    GetConfigurationList, GetRecipeListFiltered, GetResultById, GetResultComponentsById,
    GetResultListFiltered, Halt, PrepareRecipe, ReleaseConfigurationHandle, ReleaseRecipeHandle,
    ReleaseResultHandle, Reset, SelectModeAutomatic, StartContinuous, StartSingleJob, Stop, UnprepareRecipe,
};
use Role::{Engineer, Observer, Operator};

/// What can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Method {
    Reset,
    Halt,
    SelectModeAutomatic,
    ConfirmAll,
    StartSingleJob,
    StartContinuous,
    Stop,
    Abort,
    GetRecipeListFiltered,
    PrepareRecipe,
    UnprepareRecipe,
    ReleaseRecipeHandle,
    GetResultById,
    GetResultComponentsById,
    GetResultListFiltered,
    ReleaseResultHandle,
    ActivateConfiguration,
    GetConfigurationById,
    GetConfigurationList,
    ReleaseConfigurationHandle,
    Acknowledge,
    Confirm,
}

/// One method of one object.
pub(super) struct Entry {
    /// What it is.
    pub(super) method: Method,
    /// On which object, by its path.
    pub(super) object: &'static str,
    /// Its declaration in the Machine Vision node set, from which it has its arguments.
    pub(super) declaration: u32,
    /// Who may call it, and those above.
    pub(super) role: Role,
}

pub(super) const SYSTEM: &str = "VisionSystem";
pub(super) const STATES: &str = "VisionSystem/VisionStateMachine";
pub(super) const MODE: &str = "VisionSystem/VisionStateMachine/AutomaticModeStateMachine";
pub(super) const RECIPES: &str = "VisionSystem/RecipeManagement";
pub(super) const RESULTS: &str = "VisionSystem/ResultManagement";
pub(super) const CONFIGURATIONS: &str = "VisionSystem/ConfigurationManagement";

const fn entry(method: Method, object: &'static str, declaration: u32, role: Role) -> Entry {
    Entry { method, object, declaration, role }
}

/// An observer reads; an operator runs the line; an engineer takes it out of work and back to its beginning.
pub(super) const METHODS: &[Entry] = &[
    entry(Reset, STATES, 7093, Engineer),
    entry(Halt, STATES, 7094, Engineer),
    entry(SelectModeAutomatic, STATES, 7095, Operator),
    entry(ConfirmAll, STATES, 7066, Operator),
    entry(StartSingleJob, MODE, 7098, Operator),
    entry(StartContinuous, MODE, 7009, Operator),
    entry(Stop, MODE, 7096, Operator),
    entry(Abort, MODE, 7097, Operator),
    entry(GetRecipeListFiltered, RECIPES, 7014, Observer),
    entry(PrepareRecipe, RECIPES, 7015, Operator),
    entry(UnprepareRecipe, RECIPES, 7055, Operator),
    entry(ReleaseRecipeHandle, RECIPES, 7056, Observer),
    entry(GetResultById, RESULTS, 7026, Observer),
    entry(GetResultComponentsById, RESULTS, 7007, Observer),
    entry(GetResultListFiltered, RESULTS, 7089, Observer),
    entry(ReleaseResultHandle, RESULTS, 7090, Observer),
    entry(ActivateConfiguration, CONFIGURATIONS, 7048, Engineer),
    entry(GetConfigurationById, CONFIGURATIONS, 7041, Observer),
    entry(GetConfigurationList, CONFIGURATIONS, 7045, Observer),
    entry(ReleaseConfigurationHandle, CONFIGURATIONS, 7046, Observer),
];

/// Who may acknowledge and confirm a condition.
pub(super) const CONDITIONS_ROLE: Role = Operator;

impl Method {
    /// As the node sets call it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Reset => "Reset",
            Halt => "Halt",
            SelectModeAutomatic => "SelectModeAutomatic",
            ConfirmAll => "ConfirmAll",
            StartSingleJob => "StartSingleJob",
            StartContinuous => "StartContinuous",
            Stop => "Stop",
            Abort => "Abort",
            GetRecipeListFiltered => "GetRecipeListFiltered",
            PrepareRecipe => "PrepareRecipe",
            UnprepareRecipe => "UnprepareRecipe",
            ReleaseRecipeHandle => "ReleaseRecipeHandle",
            GetResultById => "GetResultById",
            GetResultComponentsById => "GetResultComponentsById",
            GetResultListFiltered => "GetResultListFiltered",
            ReleaseResultHandle => "ReleaseResultHandle",
            ActivateConfiguration => "ActivateConfiguration",
            GetConfigurationById => "GetConfigurationById",
            GetConfigurationList => "GetConfigurationList",
            ReleaseConfigurationHandle => "ReleaseConfigurationHandle",
            Acknowledge => "Acknowledge",
            Confirm => "Confirm",
        }
    }
}

impl Entry {
    /// Its path, and so its node.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.object, self.method.as_str())
    }
}
