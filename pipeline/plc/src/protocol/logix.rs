//! Rockwell Logix over EtherNet/IP, by tags: the station writes one array of ten INTs in the controller and reads another,
//! both in one message (Multiple Service Packet) on a connection to the controller's message router (CIP class 3).
//!
//! An INT is a word; tags are addressed by name, so no tag list is loaded and an edited program costs nothing. A double
//! word of the block is two INTs, the high one first. Verdict and part id go in one Write Tag of twenty bytes. The
//! controller serves it between any two instructions of a task, so a program copies the array with CPS, not COP, before
//! it looks. An answer is delivered when the controller has said that it wrote it. The protocol has no authentication:
//! keep it on the cell's own network, and set External Access to Read/Write for these two tags alone.

mod controller;
mod tag;

use super::{
    Place, Protocol,
    cyclic::{Cyclic, client_table, defaults},
    stream::address_problem,
};
use crate::{PlcError, Timing};
use controller::Controller;
use tag::Tag;

client_table! {
    /// The `[plc]` table with `kind = "logix"`.
    pub struct LogixConfig {
        /// `host:port` of the controller or its communication module; EtherNet/IP listens on 44818.
        pub address: String,
        /// Slot of the controller in its chassis; 0 in a CompactLogix.
        #[serde(default)]
        pub slot: u8,
        /// The tag that the PLC writes: `INT[10]`, words 0–9. `Program:Main.Plumb_FromPlc` is one of a program, `Plumb[0]`
        /// the first half of an `INT[20]`.
        #[serde(default = "from_plc")]
        pub from_plc: String,
        /// The tag that the station writes: `INT[10]`, words 10–19.
        #[serde(default = "to_plc")]
        pub to_plc: String,
    }
}

fn from_plc() -> String {
    "Plumb_FromPlc".to_owned()
}
fn to_plc() -> String {
    "Plumb_ToPlc".to_owned()
}

impl LogixConfig {
    /// Everything but the address as it is by default.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            slot: 0,
            from_plc: from_plc(),
            to_plc: to_plc(),
            cycle_ms: defaults::cycle_ms(),
            timeout_ms: defaults::timeout_ms(),
            backoff_min_ms: defaults::backoff_min_ms(),
            backoff_max_ms: defaults::backoff_max_ms(),
            handshake: Timing::default(),
        }
    }

    /// Every problem of these values, as sentences; none if they can be served.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.pace().problems();
        problems.extend(address_problem(&self.address, 44_818));
        for (key, tag) in [("from_plc", &self.from_plc), ("to_plc", &self.to_plc)] {
            if let Err(problem) = tag.parse::<Tag>() {
                problems.push(format!("plc {key} \"{tag}\" {problem}"));
            }
        }
        if let [from_plc, to_plc] = self.places().as_slice()
            && from_plc.overlap(to_plc).is_some()
        {
            problems.push(format!(
                "plc from_plc \"{}\" and to_plc \"{}\" share words; each direction needs ten of its own, as Plumb[0] and \
                 Plumb[10]",
                self.from_plc, self.to_plc
            ));
        }
        problems
    }

    pub(super) fn places(&self) -> Vec<Place> {
        let tags = [&self.from_plc, &self.to_plc].into_iter().filter_map(|tag| tag.parse::<Tag>().ok());
        tags.map(|tag| tag.place(&self.address)).collect()
    }

    pub(super) fn open(&self) -> Result<Box<dyn Protocol>, PlcError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(PlcError::Config { problems });
        }
        let tag = |text: &str| text.parse::<Tag>().expect("`problems` has looked at it");
        let controller = Controller::new(&self.address, self.slot, tag(&self.from_plc), tag(&self.to_plc));
        Ok(Box::new(Cyclic::new(controller, self.pace(), &self.address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_of_a_table_are_told_at_once() {
        let mut config = LogixConfig::new("plc");
        (config.from_plc, config.to_plc, config.cycle_ms) = ("".into(), "a[".into(), 0);
        let problems = config.problems().join("\n");
        for word in ["10.0.4.7:44818", "from_plc \"\"", "to_plc \"a[\"", "cycle_ms"] {
            assert!(problems.contains(word), "{word} is missing in:\n{problems}");
        }
        config = LogixConfig::new("10.0.4.7:44818");
        assert!(config.problems().is_empty());
        config.to_plc = "Program:Main.Plumb_ToPlc".into();
        assert!(config.problems().is_empty());
    }

    #[test]
    fn the_two_directions_may_share_an_array_but_no_word() {
        let with = |from_plc: &str, to_plc: &str| LogixConfig {
            from_plc: from_plc.into(),
            to_plc: to_plc.into(),
            ..LogixConfig::new("10.0.4.7:44818")
        };
        assert!(with("Plumb[0]", "Plumb[10]").problems().is_empty());
        for (from_plc, to_plc) in [("Plumb", "plumb"), ("Plumb[0]", "Plumb[9]"), ("Plumb[12]", "Plumb[10]")] {
            assert!(with(from_plc, to_plc).problems()[0].contains("share words"), "{from_plc} {to_plc}");
        }
    }
}
