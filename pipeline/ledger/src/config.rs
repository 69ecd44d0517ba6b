//! What `station.toml` says about the ledger.

use crate::KeepConfig;
use serde::{Deserialize, Serialize};

/// Section `[ledger]`. Every key may be left out.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerConfig {
    /// A record waits at most this long for others to share its commit, 1..=50 ms.
    pub commit_ms: u64,
    /// Share of passed parts whose pictures are kept, 0..=1. Pictures of all other parts are always kept.
    pub keep_pass_share: f64,
    /// True: every commit waits until the disk has it, so that a power failure loses no more than a kill does.
    /// Costs one disk flush a commit; too slow for SD cards and most spinning disks.
    pub durable: bool,
    /// How pictures are stored.
    pub picture: PictureConfig,
    /// How long records and pictures are kept, and how much disk they may take.
    pub keep: KeepConfig,
    /// Room on the disk that is set aside for records, in MB, 0..=65536: about 800 records each. Less where the disk has
    /// little left. When the disk is full, records go on into it, and pictures no longer.
    pub reserve_mb: u64,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self {
            commit_ms: 20,
            keep_pass_share: 0.01,
            durable: false,
            picture: PictureConfig::default(),
            keep: KeepConfig::default(),
            reserve_mb: 64,
        }
    }
}

impl LedgerConfig {
    /// Everything wrong with the values: the key below `ledger` and what is wrong with it. Empty is good.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(1..=50).contains(&self.commit_ms) {
            let says =
                format!("is {} ms; a record must be on disk within 50, so give 1 to 50", self.commit_ms);
            problems.push(("commit_ms", says));
        }
        if !(0.0..=1.0).contains(&self.keep_pass_share) {
            let says = format!("is {}; a share lies between 0 (none) and 1 (all)", self.keep_pass_share);
            problems.push(("keep_pass_share", says));
        }
        if !(1..=100).contains(&self.picture.quality) {
            let says = format!("is {}; JPEG quality goes from 1 to 100", self.picture.quality);
            problems.push(("picture.quality", says));
        }
        if self.reserve_mb > 65_536 {
            let says = format!(
                "is {} MB; 64 hold some fifty thousand records, and 65536 is the most",
                self.reserve_mb
            );
            problems.push(("reserve_mb", says));
        }
        problems.extend(self.keep.problems());
        problems
    }
}

/// Section `[ledger.picture]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PictureConfig {
    /// File format.
    pub format: PictureFormat,
    /// JPEG quality, 1..=100; PNG loses nothing and ignores it.
    pub quality: u8,
}

impl Default for PictureConfig {
    fn default() -> Self {
        Self { format: PictureFormat::Jpeg, quality: 90 }
    }
}

/// File format of kept pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PictureFormat {
    /// Small and lossy.
    #[default]
    Jpeg,
    /// About five times larger, loses nothing.
    Png,
}

impl PictureFormat {
    /// File name ending, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_problems() {
        assert_eq!(LedgerConfig::default().problems(), []);
    }

    #[test]
    fn every_wrong_value_is_told_at_once() {
        let picture = PictureConfig { quality: 0, ..PictureConfig::default() };
        let keep = KeepConfig { disk_max_gb: Some(-1.0), ..KeepConfig::default() };
        let wrong = LedgerConfig {
            commit_ms: 51,
            keep_pass_share: f64::NAN,
            picture,
            keep,
            reserve_mb: 70_000,
            durable: false,
        };
        let keys: Vec<&str> = wrong.problems().into_iter().map(|(key, _)| key).collect();
        let expected = ["commit_ms", "keep_pass_share", "picture.quality", "reserve_mb", "keep.disk_max_gb"];
        assert_eq!(keys, expected);
    }

    #[test]
    fn an_unknown_key_is_refused_and_an_empty_section_is_the_default() {
        let parse = serde_json::from_str::<LedgerConfig>;
        assert!(parse(r#"{"comit_ms": 20}"#).is_err());
        assert!(parse(r#"{"picture": {"format": "gif"}}"#).is_err());
        assert_eq!(parse("{}").expect("all keys may be left out"), LedgerConfig::default());
    }
}
