//! Which server, how secured, and as whom: what a config says of a connection.

use crate::security::{Policy, policies};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The sentence that switches security off.
const OPEN: &str = "none: anyone on the network may read and change what is sent";

/// How messages to a server are secured: a list of policies, any of which will do, or the sentence that gives it up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum ClientSecurity {
    /// SignAndEncrypt by the strongest of these that the server offers, and by no other.
    Encrypted(Vec<Policy>),
    /// Mode None: neither encrypted nor signed, and the server may be anyone.
    Open,
}

impl Default for ClientSecurity {
    fn default() -> Self {
        Self::Encrypted(Policy::DEFAULT.to_vec())
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a list of security policies, or the sentence that begins with \"none: \""
)]
enum Written {
    List(Vec<String>),
    Sentence(String),
}

impl TryFrom<Written> for ClientSecurity {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::List(names) => policies(&names).map(Self::Encrypted),
            Written::Sentence(sentence) if sentence == OPEN => Ok(Self::Open),
            Written::Sentence(sentence) => Err(format!(
                "security is \"{sentence}\"; expected a list of policies such as [\"Basic256Sha256\"], or, to switch \
                 security off, exactly \"{OPEN}\""
            )),
        }
    }
}

impl From<ClientSecurity> for Written {
    fn from(security: ClientSecurity) -> Self {
        match security {
            ClientSecurity::Encrypted(policies) => {
                Self::List(policies.into_iter().map(|policy| policy.to_string()).collect())
            }
            ClientSecurity::Open => Self::Sentence(OPEN.to_owned()),
        }
    }
}

/// Who the station is to the server: nobody, a name with its password, or a user certificate with its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// User name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// File that holds the password alone, mode 0600; a line end after it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The user's certificate (not the station's own), DER or PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The key of that certificate, PEM, mode 0600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

impl Login {
    /// Nobody: the server must allow anonymous log-in.
    pub fn is_anonymous(&self) -> bool {
        *self == Self::default()
    }

    fn problems(&self) -> Option<String> {
        let Self { name, password_file, certificate, key } = self;
        match (name, password_file, certificate, key) {
            (None, None, None, None) | (Some(_), Some(_), None, None) | (None, None, Some(_), Some(_)) => {
                None
            }
            _ => Some(
                "login needs name and password_file, or certificate and key, or neither for anonymous log-in"
                    .to_owned(),
            ),
        }
    }
}

/// A server as a config names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `opc.tcp://10.0.4.7:4840`; a path is only a preference.
    pub url: String,
    /// How messages are secured.
    pub security: ClientSecurity,
    /// As whom.
    pub login: Login,
}

impl Server {
    /// Every problem of these values, as sentences. Files are not looked at.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        match self.address() {
            None => problems.push(format!(
                "url is \"{}\"; expected opc.tcp://host:port with a name or an IPv4 address, such as \
                 \"opc.tcp://10.0.4.7:4840\"",
                self.url
            )),
            Some((host, _)) if host.starts_with('[') => problems.push(format!(
                "url is \"{}\"; an IPv6 address cannot be compared with the server's certificate, so use its name",
                self.url
            )),
            Some(_) => {}
        }
        problems.extend(self.login.problems());
        if self.security == ClientSecurity::Open && !self.login.is_anonymous() {
            problems.push(
                "a log-in without security would send the password readable; remove one of the two"
                    .to_owned(),
            );
        }
        problems
    }

    /// Host and `host:port`. Port 4840 where none is written.
    pub(super) fn address(&self) -> Option<(&str, String)> {
        let rest = self.url.strip_prefix("opc.tcp://")?;
        let authority = rest.split('/').next()?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse::<u16>().ok().filter(|port| *port > 0)?)
            }
            _ => (authority, 4840),
        };
        let odd = |c: char| c.is_whitespace() || c.is_control() || "@?#".contains(c);
        (!host.is_empty() && !host.contains(odd)).then(|| (host, format!("{host}:{port}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Server {
        Server { url: url.into(), security: ClientSecurity::default(), login: Login::default() }
    }

    #[test]
    fn a_url_is_a_host_and_a_port() {
        assert_eq!(server("opc.tcp://plc-7").address().unwrap(), ("plc-7", "plc-7:4840".into()));
        assert_eq!(server("opc.tcp://10.0.4.7:4841/UA/Server").address().unwrap().1, "10.0.4.7:4841");
        for wrong in [
            "10.0.4.7:4840",
            "http://a:1",
            "opc.tcp://",
            "opc.tcp://a:0",
            "opc.tcp://a:b",
            "opc.tcp://[::1]:4840",
            "opc.tcp://a b",
        ] {
            assert_eq!(server(wrong).problems().len(), 1, "{wrong}");
        }
        assert!(server("opc.tcp://10.0.4.7").problems().is_empty());
    }

    #[test]
    fn a_password_never_travels_without_security() {
        let login = Login { name: Some("plumb".into()), password_file: Some("x".into()), ..Login::default() };
        let open = Server { security: ClientSecurity::Open, login, ..server("opc.tcp://a") };
        assert!(open.problems().join("").contains("readable"));
    }

    #[test]
    fn half_a_log_in_is_none() {
        let login = Login { name: Some("plumb".into()), ..Login::default() };
        assert!(Server { login, ..server("opc.tcp://a") }.problems().join("").contains("password_file"));
    }

    #[test]
    fn only_the_whole_sentence_switches_security_off() {
        #[derive(Debug, Deserialize)]
        struct Table {
            security: ClientSecurity,
        }
        let read =
            |text: &str| toml::from_str::<Table>(&format!("security = {text}")).map(|table| table.security);
        assert_eq!(read(&format!("\"{OPEN}\"")).unwrap(), ClientSecurity::Open);
        assert!(read("\"none\"").unwrap_err().to_string().contains("exactly"));
        assert!(read("[\"Basic256\"]").unwrap_err().to_string().contains("withdrawn"));
        assert_eq!(
            read("[\"Aes128_Sha256_RsaOaep\"]").unwrap(),
            ClientSecurity::Encrypted(vec![Policy::Aes128Sha256RsaOaep])
        );
    }
}
