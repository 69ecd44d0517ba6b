//! A tag's name, and the path by which a controller finds it.

use crate::{protocol::Place, register_map::HALF_WORDS};
use std::str::FromStr;

/// Characters of one name in a controller, at most.
const NAME_MAX: usize = 40;

/// Where ten INTs begin: `Plumb_ToPlc`, `Program:Main.Plumb_ToPlc`, `Plumb[10]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// Without the index. Controllers do not tell upper from lower case.
    name: String,
    /// The element that the ten begin with.
    first: u32,
}

impl Tag {
    /// The name as the log says it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Elements that the array has to have.
    pub(super) fn length(&self) -> u32 {
        self.first + HALF_WORDS as u32
    }

    /// A symbolic path (Logix 5000 Controllers Data Access, "symbolic segment addressing"), padded to whole words.
    pub(super) fn path(&self) -> Vec<u8> {
        let mut path = Vec::new();
        for name in self.name.split('.') {
            path.extend([0x91, name.len() as u8]);
            path.extend(name.as_bytes());
            path.resize(path.len().next_multiple_of(2), 0);
        }
        match (self.first, u8::try_from(self.first), u16::try_from(self.first)) {
            (0, _, _) => {}
            (_, Ok(first), _) => path.extend([0x28, first]),
            (_, _, Ok(first)) => path.extend([&[0x29, 0], first.to_le_bytes().as_slice()].concat()),
            (first, _, _) => path.extend([&[0x2A, 0], first.to_le_bytes().as_slice()].concat()),
        }
        path
    }

    /// Its ten words of the controller at `address`.
    pub(super) fn place(&self, address: &str) -> Place {
        let device = format!("Logix {address} tag {}", self.name.to_ascii_lowercase());
        Place { device, words: self.first..self.length() }
    }
}

impl FromStr for Tag {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, index) = match text.split_once('[') {
            Some((name, index)) => (name, index.strip_suffix(']')),
            None => (text, Some("0")),
        };
        let is_a_name = |part: &str| {
            let fits =
                (1..=NAME_MAX).contains(&part.len()) && !part.starts_with(|c: char| c.is_ascii_digit());
            fits && part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
        };
        // Program:Main and Local:1:O are one name each.
        let mut parts = name.split('.');
        let scope = parts.next().unwrap_or_default();
        let scope_is_good = match scope.split_once(':') {
            None => is_a_name(scope),
            Some((before, after)) => {
                let after_is_good = |part: &str| !part.is_empty() && is_a_name(&format!("_{part}"));
                is_a_name(before) && after.split(':').all(after_is_good) && name.contains('.')
            }
        };
        if name.len() > 200 || !scope_is_good || !parts.all(is_a_name) {
            return Err("should name a tag, as Plumb_ToPlc, Program:Main.Plumb_ToPlc or Plumb[10]");
        }
        let first = index.and_then(|index| index.parse().ok()).filter(|&first| first <= 1_000_000);
        let first = first.ok_or("should end with one index in brackets, as Plumb[10], or with none")?;
        Ok(Self { name: name.to_owned(), first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_by_its_names_and_its_first_element() {
        let path = |text: &str| text.parse::<Tag>().unwrap().path();
        assert_eq!(path("Ab"), [0x91, 2, b'A', b'b']);
        assert_eq!(path("Abc"), [0x91, 3, b'A', b'b', b'c', 0]);
        let scoped = [&[0x91, 9], b"Program:M".as_slice(), &[0, 0x91, 1, b'x', 0, 0x28, 10]].concat();
        assert_eq!(path("Program:M.x[10]"), scoped);
        assert_eq!(path("x[300]")[4..], [0x29, 0, 0x2C, 1]);
        assert_eq!(path("x[70000]")[4..], [0x2A, 0, 0x70, 0x11, 1, 0]);
        assert_eq!(path("x[0]"), path("x"));
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for text in [
            "",
            "a b",
            "a..b",
            "1a",
            "a[",
            "a[1",
            "a[-1]",
            "a[1,2]",
            "a[1].b",
            "Program:",
            "Program:Main",
            "ä",
        ] {
            assert!(text.parse::<Tag>().is_err(), "{text}");
        }
        for text in ["a", "_a9", "Program:Main.a", "Local:1:O.Data", "udt.member[3]"] {
            assert!(text.parse::<Tag>().is_ok(), "{text}");
        }
    }
}
