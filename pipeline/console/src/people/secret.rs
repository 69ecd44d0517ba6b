//! What a browser or a program shows to be let in: 256 random bits, of which only the digest is kept.

use sha2::{Digest, Sha256};
use std::fmt;

/// 64 hex digits. Debug shows none of them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// A new one. `None` when the system has no randomness to give.
    pub(crate) fn new() -> Option<Self> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(hex(&bytes)))
    }

    /// As it came from outside; `None` if it cannot be one.
    pub(crate) fn read(word: &str) -> Option<Self> {
        let is_secret =
            word.len() == 64 && word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        is_secret.then(|| Self(word.to_owned()))
    }

    /// What is kept of it. Comparing digests tells nobody how much of a secret was right.
    pub(crate) fn digest(&self) -> String {
        hex(&Sha256::digest(&self.0))
    }

    /// The token that a page sends along with each change: whoever has it has read a page of this session.
    pub(crate) fn page_token(&self) -> String {
        hex(&Sha256::digest(format!("page token of {}", self.0)))
    }

    /// For the cookie or the person alone.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A password that a person can read off a terminal and type: five groups of four, some 97 bits.
pub(crate) fn readable_password() -> Option<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789"; // no l, o, 0, 1
    let mut bytes = [0_u8; 20];
    getrandom::fill(&mut bytes).ok()?;
    let letters: Vec<char> = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    Some(letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_secrets_are_alike_and_a_log_shows_none() {
        let (one, two) = (Secret::new().expect("random"), Secret::new().expect("random"));
        assert_ne!(one.reveal(), two.reveal());
        assert_eq!(format!("{one:?}"), "Secret(…)");
        assert!(one.digest() != one.page_token() && one.digest().len() == 64);
        assert_eq!(Secret::read(one.reveal()), Some(one));
        for bad in ["", "xyz", &"A".repeat(64), &"0".repeat(65), "../../etc/passwd"] {
            assert_eq!(Secret::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_readable_password_has_no_letters_that_look_alike() {
        let password = readable_password().expect("random");
        assert_eq!(password.len(), 24);
        assert!(!password.contains(['l', 'o', '0', '1']), "{password}");
    }
}
