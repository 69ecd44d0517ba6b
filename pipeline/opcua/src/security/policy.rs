//! How messages are signed and encrypted. Always both, unless the config says in words what is given up.

use opcua::crypto::SecurityPolicy;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A way to sign and encrypt (OPC UA Part 7). The withdrawn ones (`Basic128Rsa15`, `Basic256`: SHA-1) are not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Policy {
    /// AES-128, SHA-256, RSA-OAEP with SHA-1. Only where it is named: the weakest of the three.
    Aes128Sha256RsaOaep,
    /// AES-256, SHA-256, RSA-OAEP with SHA-1. What nearly every PLC has.
    Basic256Sha256,
    /// AES-256, SHA-256, RSA-PSS and RSA-OAEP with SHA-256. The strongest.
    Aes256Sha256RsaPss,
}

impl Policy {
    /// Every one, weakest first.
    pub const ALL: [Self; 3] = [Self::Aes128Sha256RsaOaep, Self::Basic256Sha256, Self::Aes256Sha256RsaPss];

    /// What is offered and asked for where the config names none.
    pub const DEFAULT: [Self; 2] = [Self::Basic256Sha256, Self::Aes256Sha256RsaPss];

    /// The spelling of OPC UA, as in the policy's URI.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aes128Sha256RsaOaep => "Aes128_Sha256_RsaOaep",
            Self::Basic256Sha256 => "Basic256Sha256",
            Self::Aes256Sha256RsaPss => "Aes256_Sha256_RsaPss",
        }
    }

    pub(crate) fn as_opcua(self) -> SecurityPolicy {
        match self {
            Self::Aes128Sha256RsaOaep => SecurityPolicy::Aes128Sha256RsaOaep,
            Self::Basic256Sha256 => SecurityPolicy::Basic256Sha256,
            Self::Aes256Sha256RsaPss => SecurityPolicy::Aes256Sha256RsaPss,
        }
    }

    pub(crate) fn from_uri(uri: &str) -> Option<Self> {
        let name = uri.strip_prefix("http://opcfoundation.org/UA/SecurityPolicy#")?;
        Self::ALL.into_iter().find(|policy| policy.as_str() == name)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if let Some(policy) = Self::ALL.into_iter().find(|policy| policy.as_str() == name) {
            return Ok(policy);
        }
        let known = Self::ALL.map(Self::as_str).join(", ");
        Err(match name {
            "Basic128Rsa15" | "Basic256" => format!(
                "security policy \"{name}\" was withdrawn (SHA-1, short keys) and is never used; expected {known}"
            ),
            _ => format!("\"{name}\" is no security policy; expected {known}"),
        })
    }
}

/// What a station's server offers: `["Basic256Sha256", "Aes256_Sha256_RsaPss"]`, or one of [`Openness`]'s sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum ServerSecurity {
    /// SignAndEncrypt by each of these, and nothing else.
    Encrypted(Vec<Policy>),
    /// Mode None beside nothing else: no certificate, no user, no secret.
    Open(Openness),
}

impl Default for ServerSecurity {
    fn default() -> Self {
        Self::Encrypted(Policy::DEFAULT.to_vec())
    }
}

/// What everybody on the network may do with a server whose security is switched off; spelt out in the config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Openness {
    /// Look at it.
    Read,
    /// Look at it and call what an operator may.
    ReadAndCommand,
}

impl Openness {
    /// The sentence that switches security off.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Read => "none: anyone on the network may read this station",
            Self::ReadAndCommand => "none: anyone on the network may read and command this station",
        }
    }
}

/// As it stands in a config: policies, or a sentence.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a list of security policies, or a sentence that begins with \"none: \""
)]
pub(crate) enum Written {
    List(Vec<String>),
    Sentence(String),
}

impl TryFrom<Written> for ServerSecurity {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let sentence = match written {
            Written::List(names) => return policies(&names).map(Self::Encrypted),
            Written::Sentence(sentence) => sentence,
        };
        let all = [Openness::Read, Openness::ReadAndCommand];
        all.into_iter().find(|open| open.sentence() == sentence).map(Self::Open).ok_or_else(|| {
            let [read, command] = all.map(Openness::sentence);
            format!(
                "security is \"{sentence}\"; expected a list of policies such as [\"Basic256Sha256\"], or, to switch \
                 security off, exactly \"{read}\" or \"{command}\""
            )
        })
    }
}

impl From<ServerSecurity> for Written {
    fn from(security: ServerSecurity) -> Self {
        match security {
            ServerSecurity::Encrypted(policies) => {
                Self::List(policies.iter().map(Policy::to_string).collect())
            }
            ServerSecurity::Open(open) => Self::Sentence(open.sentence().to_owned()),
        }
    }
}

/// The policies of these names, weakest first, each once.
pub(crate) fn policies(names: &[String]) -> Result<Vec<Policy>, String> {
    let mut policies = names.iter().map(|name| name.parse()).collect::<Result<Vec<Policy>, _>>()?;
    policies.sort_unstable();
    policies.dedup();
    match policies.is_empty() {
        true => Err("security is an empty list; leave it out for the defaults".to_owned()),
        false => Ok(policies),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Table {
        security: ServerSecurity,
    }

    fn read(security: &str) -> Result<ServerSecurity, String> {
        let table: Result<Table, _> = toml::from_str(&format!("security = {security}"));
        table.map(|table| table.security).map_err(|error| error.to_string())
    }

    #[test]
    fn only_a_whole_sentence_switches_security_off() {
        let sentence = "\"none: anyone on the network may read and command this station\"";
        assert_eq!(read(sentence).unwrap(), ServerSecurity::Open(Openness::ReadAndCommand));
        for short in ["\"none\"", "\"None\"", "\"none: please\"", "[\"None\"]", "[]", "false"] {
            let error = read(short).unwrap_err();
            assert!(error.contains("expected") || error.contains("empty list"), "{short}: {error}");
        }
    }

    #[test]
    fn withdrawn_policies_are_refused_by_name() {
        for name in ["Basic128Rsa15", "Basic256"] {
            let error = read(&format!("[\"Basic256Sha256\", \"{name}\"]")).unwrap_err();
            assert!(error.contains("withdrawn") && error.contains(name), "{error}");
        }
    }

    #[test]
    fn policies_are_told_by_their_uri() {
        for policy in Policy::ALL {
            assert_eq!(Policy::from_uri(policy.as_opcua().to_uri()), Some(policy));
        }
        assert_eq!(Policy::from_uri(SecurityPolicy::Basic256.to_uri()), None);
        assert_eq!(Policy::from_uri(SecurityPolicy::None.to_uri()), None);
    }
}
