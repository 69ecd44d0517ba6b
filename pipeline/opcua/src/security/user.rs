//! Who may log in to the station's server, and what they may do. Passwords are kept as Argon2id hashes alone.

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Shortest password that is hashed; NIST SP 800-63B asks for 8 and for nothing else.
const SHORTEST: usize = 8;

/// Longest one: hashing is not to be a way to keep the station busy.
pub(crate) const LONGEST: usize = 256;

/// What somebody may do; each may all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Observer,
    /// Run the line: start, stop, choose a recipe.
    Operator,
    /// Change what is judged: recipes, configurations, everything else.
    Engineer,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Observer => "observer",
            Self::Operator => "operator",
            Self::Engineer => "engineer",
        })
    }
}

/// One `[[opcua.user]]`: a name, a role, and a password hash or a certificate's thumbprint, or both.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserConfig {
    /// As it is typed at log-in, and as the audit names it.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The Argon2id hash of the password, as `plumb opcua user` prints it: `$argon2id$v=19$…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// SHA-1 thumbprint of the user's X.509 certificate: 40 hexadecimal digits; blanks and colons are ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

impl fmt::Debug for UserConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_password = self.password.is_some();
        f.debug_struct("UserConfig")
            .field("name", &self.name)
            .field("role", &self.role)
            .field("has_password", &has_password)
            .field("certificate", &self.certificate)
            .finish()
    }
}

impl UserConfig {
    /// Every problem, as sentences.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let name = &self.name;
        if name.trim().is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            problems.push(format!(
                "opcua user name {name:?} must have 1 to 64 characters and no control character"
            ));
        }
        if self.password.is_none() && self.certificate.is_none() {
            problems.push(format!(
                "opcua user \"{name}\" has neither password nor certificate; `plumb opcua user {name}` makes the lines"
            ));
        }
        if self.password.as_deref().is_some_and(|hash| !is_hash(hash)) {
            problems.push(format!(
                "opcua user \"{name}\": password must be an Argon2id hash ($argon2id$…), never the password itself; \
                 `plumb opcua user {name}` makes one"
            ));
        }
        if let Some(thumbprint) = &self.certificate
            && self.thumbprint().is_none()
        {
            problems.push(format!(
                "opcua user \"{name}\": certificate is \"{thumbprint}\"; expected its SHA-1 thumbprint, 40 \
                 hexadecimal digits"
            ));
        }
        problems
    }

    /// The certificate's thumbprint, 40 lower-case digits.
    pub(crate) fn thumbprint(&self) -> Option<String> {
        let digits: String =
            self.certificate.as_deref()?.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
        (digits.len() == 40 && digits.chars().all(|c| c.is_ascii_hexdigit())).then(|| digits.to_lowercase())
    }
}

// A hash that asks for gigabytes would stop the station at the first log-in.
fn is_hash(text: &str) -> bool {
    let Ok(hash) = PasswordHash::new(text) else { return false };
    let modest =
        |key: &str, max: u32| hash.params.get_decimal(key).is_some_and(|value| (1..=max).contains(&value));
    hash.algorithm.as_str() == "argon2id"
        && hash.hash.is_some()
        && modest("m", 128 * 1_024)
        && modest("t", 16)
        && modest("p", 4)
}

/// Argon2id hash of `password` (19 MiB, 2 rounds, as OWASP asks for), with a fresh salt, as it goes into the config.
///
/// # Errors
/// It is too short or too long.
pub fn hash_password(password: &str) -> Result<String, PasswordError> {
    let characters = password.chars().count();
    if characters < SHORTEST || password.len() > LONGEST {
        return Err(PasswordError { characters });
    }
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.expect("Argon2's own parameters and 8 to 256 bytes are valid").to_string())
}

/// Whether `password` is the one that `hash` was made of. Takes some ten milliseconds and 19 MiB.
pub(crate) fn is_password(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// A password that is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the password has {characters} characters; expected at least {SHORTEST}, and at most {LONGEST} bytes"
)]
pub struct PasswordError {
    /// How many it has.
    pub characters: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(password: Option<&str>, certificate: Option<&str>) -> UserConfig {
        let [password, certificate] = [password, certificate].map(|text| text.map(str::to_owned));
        UserConfig { name: "anna".into(), role: Role::Operator, password, certificate }
    }

    #[test]
    fn a_password_is_known_by_its_hash_alone() {
        let hash = hash_password("korrekt pferd").unwrap();
        assert!(is_password("korrekt pferd", &hash) && !is_password("Korrekt pferd", &hash));
        assert_ne!(hash, hash_password("korrekt pferd").unwrap(), "each has a salt of its own");
        assert_eq!(user(Some(&hash), None).problems(), Vec::<String>::new());
        assert!(!format!("{:?}", user(Some(&hash), None)).contains("argon2"), "a hash is no talk for a log");
    }

    #[test]
    fn a_password_in_plain_text_is_refused_without_repeating_it() {
        let problems = user(Some("hunter2hunter2"), None).problems().join("\n");
        assert!(
            problems.contains("never the password itself") && !problems.contains("hunter2"),
            "{problems}"
        );
    }

    #[test]
    fn a_hash_that_would_stop_the_station_is_refused() {
        let greedy = hash_password("korrekt pferd").unwrap().replace("m=19456", "m=4194304");
        assert!(!user(Some(&greedy), None).problems().is_empty());
    }

    #[test]
    fn a_thumbprint_may_be_written_as_programs_show_it() {
        let colons = "0A:1B:2C:3D:4E:5F:60:71:82:93:A4:B5:C6:D7:E8:F9:0A:1B:2C:3D";
        let thumbprint = user(None, Some(colons)).thumbprint().unwrap();
        assert_eq!(thumbprint, "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d");
        for wrong in ["0a1b", "no", &format!("{colons}:00")] {
            assert_eq!(user(None, Some(wrong)).problems().len(), 1, "{wrong}");
        }
        assert_eq!(user(None, None).problems().len(), 1);
    }

    #[test]
    fn an_engineer_may_what_an_operator_may_and_an_operator_what_an_observer_may() {
        assert!(Role::Observer < Role::Operator && Role::Operator < Role::Engineer);
    }
}
