//! The last results, newest first, and what a client may look for among them.

use super::types::ResultDataType;
use opcua::types::{BinaryEncodable, ContextOwned, UAString};
use std::collections::VecDeque;

/// Results that are kept: at 20 parts a second nearly a minute. An older one is in the station's ledger.
pub(super) const KEPT: usize = 1_024;

/// Results that one call gives at most, and their bytes: an answer must fit into a message.
const A_CALL: usize = 100;
const A_CALL_BYTES: usize = 200_000;

/// The last [`KEPT`] results.
#[derive(Debug, Default)]
pub(super) struct Results(VecDeque<ResultDataType>);

/// What is looked for: empty is anything.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) state: i32,
    pub(super) meas: UAString,
    pub(super) part: UAString,
    pub(super) external_recipe: UAString,
    pub(super) internal_recipe: UAString,
    pub(super) external_configuration: UAString,
    pub(super) internal_configuration: UAString,
    pub(super) product: UAString,
    pub(super) job: UAString,
}

impl Results {
    /// One more; the oldest makes room.
    pub(super) fn push(&mut self, result: ResultDataType) {
        self.0.truncate(KEPT - 1);
        self.0.push_front(result);
    }

    /// The one of this id.
    pub(super) fn by_id(&self, id: &str) -> Option<&ResultDataType> {
        self.0.iter().find(|result| result.result_id.id.as_ref() == id)
    }

    /// Those that are wanted from the `start`th on, at most `max` (0: as many as there are), and whether that is all.
    pub(super) fn find(&self, wanted: &Wanted, start: usize, max: usize) -> (Vec<ResultDataType>, bool) {
        let context = ContextOwned::default();
        let max = if max == 0 { A_CALL } else { max.min(A_CALL) };
        let mut bytes = 0;
        let mut found = Vec::new();
        for result in self.0.iter().filter(|result| wanted.is(result)).skip(start) {
            bytes += result.byte_len(&context.context());
            if found.len() == max || (bytes > A_CALL_BYTES && !found.is_empty()) {
                return (found, false);
            }
            found.push(result.clone());
        }
        (found, true)
    }
}

impl Wanted {
    fn is(&self, result: &ResultDataType) -> bool {
        fn fits(wanted: &UAString, is: Option<&UAString>) -> bool {
            wanted.is_empty() || is == Some(wanted)
        }
        (self.state == 0 || self.state == result.result_state)
            && fits(&self.meas, result.meas_id.as_ref().map(|id| &id.id))
            && fits(&self.part, result.part_id.as_ref().map(|id| &id.id))
            && fits(&self.external_recipe, result.external_recipe_id.as_ref().map(|id| &id.id))
            && fits(&self.internal_recipe, Some(&result.internal_recipe_id.id))
            && fits(&self.external_configuration, result.external_configuration_id.as_ref().map(|id| &id.id))
            && fits(&self.internal_configuration, Some(&result.internal_configuration_id.id))
            && fits(&self.product, result.product_id.as_ref().map(|id| &id.id))
            && fits(&self.job, Some(&result.job_id.id))
    }
}

/// Handles that clients hold. Nothing is kept for one; they are counted and checked, as OPC 40100-1 wants it.
#[derive(Debug, Default)]
pub(super) struct Handles {
    last: u32,
    open: VecDeque<u32>,
}

impl Handles {
    /// Most that are open; the oldest is forgotten.
    const OPEN: usize = 256;

    /// A new one, never 0.
    pub(super) fn open(&mut self) -> u32 {
        self.last = self.last.checked_add(1).unwrap_or(1);
        self.open.truncate(Self::OPEN - 1);
        self.open.push_front(self.last);
        self.last
    }

    /// False if it is not open.
    pub(super) fn release(&mut self, handle: u32) -> bool {
        let at = self.open.iter().position(|open| *open == handle);
        at.and_then(|at| self.open.remove(at)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine_vision::{
        commands::Verdict,
        result::{result, tests::found},
        types::ConfigurationIdDataType,
    };

    fn results(count: u32) -> Results {
        let mut results = Results::default();
        for part in 1..=count {
            let verdict = if part % 2 == 0 { Verdict::Missed } else { Verdict::Pass };
            results.push(result(&found(part, verdict), &ConfigurationIdDataType::default(), None));
        }
        results
    }

    #[test]
    fn the_last_ones_are_kept_and_given_newest_first_a_piece_at_a_time() {
        let results = results(2_000);
        assert_eq!(results.0.len(), KEPT);
        let part = |result: &ResultDataType| result.part_id.clone().unwrap().id.to_string();
        let (first, complete) = results.find(&Wanted::default(), 0, 10);
        assert_eq!((part(&first[0]), first.len(), complete), ("2000".to_owned(), 10, false));
        let (next, _) = results.find(&Wanted::default(), 10, 10);
        assert_eq!(part(&next[0]), "1990");
        let (all, complete) = results.find(&Wanted::default(), 0, 0);
        assert_eq!((all.len(), complete), (A_CALL, false), "a call is not a dump");
        let (last, complete) = results.find(&Wanted::default(), KEPT - 3, 10);
        assert_eq!((last.len(), complete), (3, true));
        assert!(results.find(&Wanted::default(), 5_000, 10).0.is_empty());
    }

    #[test]
    fn a_filter_leaves_what_it_says() {
        let results = results(10);
        let count = |wanted: Wanted| results.find(&wanted, 0, 0).0.len();
        assert_eq!(count(Wanted { state: 4, ..Wanted::default() }), 5);
        assert_eq!(count(Wanted { part: "3".into(), ..Wanted::default() }), 1);
        assert_eq!(count(Wanted { internal_recipe: "washer".into(), ..Wanted::default() }), 10);
        assert_eq!(count(Wanted { job: "nobody's".into(), ..Wanted::default() }), 0);
        assert!(results.by_id("3@1000001").is_some() && results.by_id("3").is_none());
    }

    #[test]
    fn handles_do_not_pile_up_and_are_given_back_once() {
        let mut handles = Handles::default();
        let first = handles.open();
        let last = (0..10_000).map(|_| handles.open()).last().unwrap();
        assert_eq!(handles.open.len(), Handles::OPEN);
        assert!(!handles.release(first) && !handles.release(0));
        assert!(handles.release(last) && !handles.release(last));
    }
}
