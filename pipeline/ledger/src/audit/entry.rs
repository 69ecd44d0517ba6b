//! One entry of the audit log: schema `plumb.audit/1`.

use crate::record::rfc3339_us;
use jiff::Timestamp;
use plumb_inspection::PartId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is to be entered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewAuditEntry {
    /// Who did it: a user's name, a token's, `station`, or the account at the terminal.
    pub who: String,
    /// In which role; empty where there is none.
    pub role: String,
    /// From which address; empty for the station itself.
    pub from: String,
    /// What was done: `login`, `login_failed`, `load_recipe` …
    pub what: String,
    /// To which thing: a recipe, a user, a part.
    pub of: String,
    /// What it was before.
    pub old: Option<Value>,
    /// What it is now.
    pub new: Option<Value>,
    /// Why, in the person's words.
    pub reason: String,
    /// The first part it holds for, where that is known.
    pub from_part: Option<PartId>,
    /// Meaning of an electronic signature, for which the password was given again; none where nothing was signed.
    pub signature: Option<String>,
}

/// What was entered. The order of fields is the order in the JSON that is hashed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// Always `plumb.audit/1`.
    pub schema: AuditSchema,
    /// 1, 2, 3 … without a gap.
    pub n: u64,
    /// When, by the station's clock: UTC, whole µs.
    #[serde(with = "rfc3339_us")]
    pub at: Timestamp,
    /// Who did it.
    pub who: String,
    /// In which role.
    pub role: String,
    /// From which address.
    pub from: String,
    /// What was done.
    pub what: String,
    /// To which thing.
    pub of: String,
    /// What it was before.
    pub old: Option<Value>,
    /// What it is now.
    pub new: Option<Value>,
    /// Why.
    pub reason: String,
    /// The first part it holds for.
    pub from_part: Option<PartId>,
    /// Meaning of an electronic signature.
    pub signature: Option<String>,
}

/// The word `plumb.audit/1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuditSchema {
    /// The only one so far.
    #[default]
    #[serde(rename = "plumb.audit/1")]
    V1,
}

impl NewAuditEntry {
    pub(crate) fn numbered(self, n: u64, at: Timestamp) -> AuditEntry {
        let Self { who, role, from, what, of, old, new, reason, from_part, signature } = self;
        AuditEntry {
            schema: AuditSchema::V1,
            n,
            at,
            who,
            role,
            from,
            what,
            of,
            old,
            new,
            reason,
            from_part,
            signature,
        }
    }
}
