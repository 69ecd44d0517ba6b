//! Who somebody is, and what they may do.

mod admin;
mod lockout;
mod lost;
mod office;
mod password;
mod secret;
mod sessions;

pub use lost::{LostPassword, one_time_password};
pub(crate) use office::{LoginError, Office, Shown};
pub(crate) use secret::Secret;

use plumb_ledger::Role;

/// Whoever asks or changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// A user's or a token's name.
    pub name: String,
    /// In which role.
    pub role: Role,
    /// From which address.
    pub address: String,
}

/// What a page or a change takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Nothing: the login itself.
    Open,
    /// To look at the live page: a viewer, or anybody where `[console] open_live_view` says so.
    Watch,
    /// To see everything: a viewer.
    See,
    /// To run the line: an operator.
    Operate,
    /// To answer for what is judged: quality.
    Judge,
    /// To answer for the machine: maintenance.
    Maintain,
    /// To say who may do what: an administrator.
    Administer,
}

impl Right {
    /// The role it takes at least; `None` for nobody in particular.
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Open => None,
            Self::Watch | Self::See => Some(Role::Viewer),
            Self::Operate => Some(Role::Operator),
            Self::Judge => Some(Role::Quality),
            Self::Maintain => Some(Role::Maintenance),
            Self::Administer => Some(Role::Admin),
        }
    }

    /// Whether somebody in that role has it; `None` is somebody who is not logged in.
    pub fn is_held_by(self, role: Option<Role>, open_live_view: bool) -> bool {
        match (self.role(), role) {
            (None, _) => true,
            (Some(needed), Some(role)) => role.covers(needed),
            (Some(_), None) => self == Self::Watch && open_live_view,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_login_there_is_the_live_page_at_most() {
        let rights = [Right::See, Right::Operate, Right::Judge, Right::Maintain, Right::Administer];
        assert!(rights.iter().all(|right| !right.is_held_by(None, true)));
        assert!(Right::Watch.is_held_by(None, true) && !Right::Watch.is_held_by(None, false));
        assert!(Right::Judge.is_held_by(Some(Role::Quality), false));
        assert!(!Right::Maintain.is_held_by(Some(Role::Quality), true));
    }
}
