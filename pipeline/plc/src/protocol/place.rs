//! Where a link's block lies in the world, so that two links of one station are not given the same words.

use std::{fmt, ops::Range};

/// Words of one device, or an address that is listened on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The device, and the part of it that the words are counted in: `Modbus 10.0.4.7:502 unit 1`.
    pub device: String,
    /// The words there. A place that cannot be shared at all has all of them.
    pub words: Range<u32>,
}

impl Place {
    /// The block of 20 words from `base` on.
    pub(crate) fn block(device: String, base: u32) -> Self {
        Self { device, words: base..base + crate::register_map::BLOCK_WORDS as u32 }
    }

    /// A place that cannot be shared: an address that is listened on, a tag, a node.
    pub(crate) fn whole(device: String) -> Self {
        Self { device, words: 0..u32::MAX }
    }

    /// What both have.
    pub fn overlap(&self, other: &Self) -> Option<Self> {
        let words = self.words.start.max(other.words.start)..self.words.end.min(other.words.end);
        (self.device == other.device && !words.is_empty())
            .then(|| Self { device: self.device.clone(), words })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.words {
            Range { start: 0, end: u32::MAX } => f.write_str(&self.device),
            Range { start, end } => write!(f, "{}, words {start} to {}", self.device, end - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_overlap_where_they_share_a_word_of_one_device() {
        let at = |device: &str, base| Place::block(device.to_owned(), base);
        let shared = at("Modbus a:502 unit 1", 0).overlap(&at("Modbus a:502 unit 1", 19)).unwrap();
        assert_eq!(shared.to_string(), "Modbus a:502 unit 1, words 19 to 19");
        assert_eq!(at("Modbus a:502 unit 1", 0).overlap(&at("Modbus a:502 unit 1", 20)), None);
        assert_eq!(at("Modbus a:502 unit 1", 0).overlap(&at("Modbus a:502 unit 2", 0)), None);
        let listening = Place::whole("Modbus server on 0.0.0.0:502".to_owned());
        assert_eq!(listening.overlap(&listening).unwrap().to_string(), "Modbus server on 0.0.0.0:502");
    }
}
