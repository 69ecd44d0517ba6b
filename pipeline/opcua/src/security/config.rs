//! The `[opcua]` table of `station.toml`: where the server listens, how it is secured, who may log in.

use super::{policy::ServerSecurity, user::UserConfig};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The `[opcua]` table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpcUaServerConfig {
    /// Address and port to listen on.
    #[serde(default = "listen")]
    pub listen: SocketAddr,
    /// The name by which clients reach this machine, as endpoints show it; where not written, as it names itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Policies, or the sentence that switches security off.
    #[serde(default)]
    pub security: ServerSecurity,
    /// Who may log in. None may where there is none: anonymous log-in is for servers without security alone.
    #[serde(default, rename = "user")]
    pub users: Vec<UserConfig>,
}

fn listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4840))
}

impl Default for OpcUaServerConfig {
    fn default() -> Self {
        Self { listen: listen(), host: None, security: ServerSecurity::default(), users: Vec::new() }
    }
}

impl OpcUaServerConfig {
    /// Every problem, as sentences.
    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.users.iter().flat_map(UserConfig::problems).collect();
        let mut seen = Vec::new();
        for user in &self.users {
            for (what, value) in [("name", Some(user.name.clone())), ("certificate", user.thumbprint())] {
                let Some(value) = value else { continue };
                if seen.contains(&(what, value.clone())) {
                    problems.push(format!("two opcua users have the {what} \"{value}\"; each needs its own"));
                }
                seen.push((what, value));
            }
        }
        match self.security {
            ServerSecurity::Encrypted(_) if self.users.is_empty() => problems.push(
                "opcua has no user, so nobody could log in; `plumb opcua user NAME` makes the lines for one".to_owned(),
            ),
            ServerSecurity::Open(_) if !self.users.is_empty() => problems.push(
                "opcua has users, but security is none: their passwords would travel readable; remove one of the two"
                    .to_owned(),
            ),
            _ => {}
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::user::{Role, hash_password};

    fn anna() -> UserConfig {
        let password = Some(hash_password("korrekt pferd").unwrap());
        UserConfig { name: "anna".into(), role: Role::Operator, password, certificate: None }
    }

    #[test]
    fn a_server_is_encrypted_and_local_unless_it_is_told_otherwise() {
        let config: OpcUaServerConfig = toml::from_str("").unwrap();
        assert_eq!(config, OpcUaServerConfig::default());
        assert!(config.listen.ip().is_loopback() && matches!(config.security, ServerSecurity::Encrypted(_)));
        assert!(config.problems()[0].contains("no user"), "nobody is let in by default");
    }

    #[test]
    fn all_problems_of_a_table_are_told_at_once() {
        let mut config = OpcUaServerConfig { users: vec![anna(), anna()], ..OpcUaServerConfig::default() };
        config.users[1].password = Some("plain".into());
        config.security = toml::from_str::<OpcUaServerConfig>(
            "security = \"none: anyone on the network may read this station\"",
        )
        .unwrap()
        .security;
        let problems = config.problems().join("\n");
        for word in ["two opcua users", "never the password itself", "travel readable"] {
            assert!(problems.contains(word), "{word} is missing in:\n{problems}");
        }
    }
}
