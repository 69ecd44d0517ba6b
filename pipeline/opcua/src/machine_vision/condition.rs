//! A condition: something is wrong, somebody has seen it, somebody says that it is dealt with. Pure.
//!
//! OPC 40100-1, table 128: a warning needs nobody, an error wants to be acknowledged, a persistent error to be
//! acknowledged and confirmed. It is kept (`Retain`) as long as it is there or anything is still owed.

use opcua::types::{ByteString, LocalizedText, StatusCode};
use std::collections::VecDeque;

/// Event ids under which it can be acknowledged: those of its last changes.
const REMEMBERED: usize = 16;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// It judges, but not as it should.
    Warning,
    /// It does not judge, and may do so again.
    Error,
    /// It does not judge, and a person must do something.
    PersistentError,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Warning, Self::Error, Self::PersistentError];

    /// Number of its type in the node set.
    pub(super) fn type_number(self) -> u32 {
        match self {
            Self::Warning => 1034,
            Self::Error => 1035,
            Self::PersistentError => 1036,
        }
    }

    /// `Severity`, from table 128.
    pub(super) fn severity(self) -> u16 {
        match self {
            Self::Warning => 500,
            Self::Error => 700,
            Self::PersistentError => 900,
        }
    }

    /// Its name, and the last word of its node's path.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Warning => "Warning",
            Self::Error => "Error",
            Self::PersistentError => "PersistentError",
        }
    }

    fn wants(self) -> (bool, bool) {
        match self {
            Self::Warning => (false, false),
            Self::Error => (true, false),
            Self::PersistentError => (true, true),
        }
    }
}

/// One of the station's conditions.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct VisionCondition {
    pub(super) kind: Kind,
    /// It is there now.
    pub(super) active: bool,
    pub(super) acknowledged: bool,
    pub(super) confirmed: bool,
    /// What is wrong; what was, once it has gone.
    pub(super) says: String,
    /// What the last person said to it, and who that was.
    pub(super) comment: LocalizedText,
    pub(super) user: String,
    events: VecDeque<ByteString>,
}

impl VisionCondition {
    /// All is well.
    pub(super) fn new(kind: Kind) -> Self {
        let (says, user, comment) = (String::new(), String::new(), LocalizedText::null());
        Self {
            kind,
            active: false,
            acknowledged: true,
            confirmed: true,
            says,
            comment,
            user,
            events: VecDeque::new(),
        }
    }

    /// Whether anybody still needs to hear of it.
    pub(super) fn retain(&self) -> bool {
        self.active || !self.acknowledged || !self.confirmed
    }

    /// What is wrong now, `None` if nothing is. True if that is news.
    pub(super) fn is_now(&mut self, says: Option<&str>) -> bool {
        match says {
            Some(says) if self.active && self.says == says => false,
            Some(says) => {
                if !self.active {
                    let (acknowledge, confirm) = self.kind.wants();
                    (self.acknowledged, self.confirmed) = (!acknowledge, !confirm);
                    self.events.clear();
                }
                (self.active, self.says) = (true, says.to_owned());
                true
            }
            None => std::mem::take(&mut self.active),
        }
    }

    /// It was told of under this event id.
    pub(super) fn told(&mut self, event: ByteString) {
        if self.events.len() == REMEMBERED {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// Somebody has seen it.
    ///
    /// # Errors
    /// `BadEventIdUnknown`, `BadConditionBranchAlreadyAcked`.
    pub(super) fn acknowledge(
        &mut self,
        event: &ByteString,
        user: &str,
        comment: LocalizedText,
    ) -> Result<(), StatusCode> {
        self.knows(event)?;
        if self.acknowledged {
            return Err(StatusCode::BadConditionBranchAlreadyAcked);
        }
        self.acknowledged = true;
        self.noted(user, comment);
        Ok(())
    }

    /// Somebody says that it is dealt with.
    ///
    /// # Errors
    /// `BadEventIdUnknown`, `BadConditionBranchAlreadyConfirmed`; `BadInvalidState` before it is acknowledged.
    pub(super) fn confirm(
        &mut self,
        event: &ByteString,
        user: &str,
        comment: LocalizedText,
    ) -> Result<(), StatusCode> {
        self.knows(event)?;
        if self.confirmed {
            return Err(StatusCode::BadConditionBranchAlreadyConfirmed);
        }
        if !self.acknowledged {
            return Err(StatusCode::BadInvalidState);
        }
        self.confirmed = true;
        self.noted(user, comment);
        Ok(())
    }

    /// Both at once. True if anything was owed.
    pub(super) fn settle(&mut self, user: &str, comment: LocalizedText) -> bool {
        if self.acknowledged && self.confirmed {
            return false;
        }
        (self.acknowledged, self.confirmed) = (true, true);
        self.noted(user, comment);
        true
    }

    fn knows(&self, event: &ByteString) -> Result<(), StatusCode> {
        if self.events.contains(event) { Ok(()) } else { Err(StatusCode::BadEventIdUnknown) }
    }

    fn noted(&mut self, user: &str, comment: LocalizedText) {
        self.user = user.to_owned();
        if !comment.text.is_null() {
            self.comment = comment;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> ByteString {
        ByteString::from(vec![byte])
    }

    #[test]
    fn each_kind_is_kept_until_nothing_is_owed() {
        for (kind, owes) in [(Kind::Warning, false), (Kind::Error, true), (Kind::PersistentError, true)] {
            let mut condition = VisionCondition::new(kind);
            assert!(!condition.retain());
            assert!(condition.is_now(Some("camera top is unplugged")), "{kind:?}");
            assert!(!condition.is_now(Some("camera top is unplugged")), "said once");
            condition.told(id(1));
            assert!(condition.is_now(None) && !condition.is_now(None));
            assert_eq!(condition.retain(), owes, "{kind:?}");
            assert_eq!(condition.settle("anna", "seen".into()), owes);
            assert!(!condition.retain());
        }
    }

    #[test]
    fn a_wrong_acknowledgement_changes_nothing() {
        let mut condition = VisionCondition::new(Kind::PersistentError);
        condition.is_now(Some("the verdict stage ended"));
        condition.told(id(1));
        let none = LocalizedText::null;
        assert_eq!(condition.acknowledge(&id(9), "anna", none()), Err(StatusCode::BadEventIdUnknown));
        assert_eq!(condition.confirm(&id(1), "anna", none()), Err(StatusCode::BadInvalidState));
        let before = condition.clone();
        assert!(!before.acknowledged && !before.confirmed);
        assert_eq!(condition.acknowledge(&id(1), "anna", "seen".into()), Ok(()));
        assert_eq!(
            condition.acknowledge(&id(1), "otto", none()),
            Err(StatusCode::BadConditionBranchAlreadyAcked)
        );
        assert_eq!(condition.confirm(&id(1), "emil", none()), Ok(()));
        assert_eq!(
            (condition.user.as_str(), &condition.comment),
            ("emil", &"seen".into()),
            "no comment leaves the last"
        );
        assert_eq!(
            condition.confirm(&id(1), "emil", none()),
            Err(StatusCode::BadConditionBranchAlreadyConfirmed)
        );
    }

    #[test]
    fn event_ids_do_not_pile_up() {
        let mut condition = VisionCondition::new(Kind::Warning);
        for byte in 0..200 {
            condition.told(id(byte));
        }
        assert_eq!(condition.events.len(), REMEMBERED);
        assert_eq!(condition.knows(&id(100)), Err(StatusCode::BadEventIdUnknown));
    }
}
