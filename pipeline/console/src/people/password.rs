//! Passwords: only their Argon2id hashes are kept.

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use std::sync::LazyLock;

/// A password has at least so many characters.
pub(crate) const SHORTEST: usize = 10;
/// And at most so many bytes: hashing more would be work for nothing.
pub(crate) const LONGEST: usize = 256;

/// A password that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("a password has {SHORTEST} to {LONGEST} characters")]
    Length,
    #[error("a password is not the user's own name")]
    Name,
    #[error("the new password is the old one")]
    Same,
}

/// Argon2id (19 MiB, 2 rounds, as OWASP asks for) with a fresh salt. Some 50 ms of a processor.
pub(crate) fn hash(name: &str, password: &str) -> Result<String, PasswordError> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(PasswordError::Length);
    }
    if password.to_lowercase().contains(&name.to_lowercase())
        && password.chars().count() < name.chars().count() + 6
    {
        return Err(PasswordError::Name);
    }
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|_| PasswordError::Length)
}

/// Whether `password` is the one of `hash`. Where there is no hash, as much time passes: nobody learns from the clock
/// which names exist.
pub(crate) fn matches(hash: Option<&str>, password: &str) -> bool {
    static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| self::hash("", "nobody has this one").ok());
    if password.len() > LONGEST {
        return false;
    }
    let known = hash.filter(|hash| !hash.is_empty());
    let Some(text) = known.or(NOBODY.as_deref()) else { return false };
    let Ok(parsed) = PasswordHash::new(text) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && known.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_password_and_no_other_lets_in() {
        let hash = hash("anna", "correct horse").expect("long enough");
        assert!(hash.starts_with("$argon2id$"));
        assert!(matches(Some(&hash), "correct horse"));
        for wrong in ["Correct horse", "", "correct horse ", &"x".repeat(10_000)] {
            assert!(!matches(Some(&hash), wrong), "{wrong}");
        }
        assert!(!matches(None, "nobody has this one") && !matches(Some(""), "nobody has this one"));
        assert!(!matches(Some("$argon2id$nonsense"), "correct horse"));
    }

    #[test]
    fn short_ones_and_ones_own_name_are_refused() {
        assert_eq!(hash("anna", "short"), Err(PasswordError::Length));
        assert_eq!(hash("annabella1", "Annabella1!"), Err(PasswordError::Name));
        assert!(hash("anna", "检验员的密码很长吧十个").is_ok());
    }
}
