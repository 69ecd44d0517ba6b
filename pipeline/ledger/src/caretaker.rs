//! The thread `caretaker`: once an hour it carries out the rules of keeping and looks how long the disk lasts.

use crate::{Backup, KEEP_RULES, KeepConfig, KeepRule, LedgerError, Outlook, Sweep};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use jiff::Timestamp;
use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// After the start, and from then on.
const FIRST: Duration = Duration::from_secs(30);
const EVERY: Duration = Duration::from_secs(3600);

/// How often a backup that another process took is noticed; the only thing that is asked so often.
const LOOK: Duration = Duration::from_secs(30);

/// What the caretaker knows; totals since the ledger was opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Upkeep {
    /// Records that each rule of [`KEEP_RULES`] deleted.
    pub records_deleted: [u64; KEEP_RULES.len()],
    /// Pictures that each rule of [`KEEP_RULES`] deleted.
    pub pictures_deleted: [u64; KEEP_RULES.len()],
    /// How long the disk lasts; `None` before the first look.
    pub outlook: Option<Outlook>,
    /// When the last backup was taken; `None`: never.
    pub backup: Option<Timestamp>,
    /// Why the last round did not come to its end.
    pub trouble: Option<String>,
}

/// What the thread owns.
pub(crate) struct Caretaker {
    pub(crate) folder: PathBuf,
    pub(crate) keep: KeepConfig,
    /// Disconnected once the ledger closes.
    pub(crate) stop: Receiver<Infallible>,
    pub(crate) upkeep: std::sync::Arc<Mutex<Upkeep>>,
}

impl Caretaker {
    /// Until the ledger closes.
    pub(crate) fn run(self) {
        let mut next = Instant::now() + FIRST;
        self.note(|upkeep| upkeep.backup = last_backup(&self.folder));
        while self.stop.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            self.note(|upkeep| upkeep.backup = last_backup(&self.folder));
            if Instant::now() < next {
                continue;
            }
            next = Instant::now() + EVERY;
            let done = self.round();
            if let Err(error) = &done {
                tracing::error!(%error, "What the rules no longer keep could not be deleted; it is tried again in an hour.");
            }
            self.note(|upkeep| upkeep.trouble = done.err().map(|error| error.to_string()));
        }
    }

    fn round(&self) -> Result<(), LedgerError> {
        let now = Timestamp::now();
        let goes_on = || self.stop.try_recv() != Err(crossbeam_channel::TryRecvError::Disconnected);
        let swept = Sweep::new(&self.folder, self.keep.clone()).run(now, &goes_on)?;
        self.note(|upkeep| {
            for (at, rule) in KEEP_RULES.iter().enumerate() {
                let swept = swept.get::<KeepRule>(rule).copied().unwrap_or_default();
                upkeep.records_deleted[at] += swept.records;
                upkeep.pictures_deleted[at] += swept.pictures;
            }
        });
        let outlook = Outlook::of(&self.folder, &self.keep, now)?;
        self.note(|upkeep| upkeep.outlook = Some(outlook));
        Ok(())
    }

    fn note(&self, change: impl FnOnce(&mut Upkeep)) {
        change(&mut self.upkeep.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A ledger that cannot be read has had none that is known of.
fn last_backup(folder: &Path) -> Option<Timestamp> {
    Backup::last(folder).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ledger, LedgerConfig, Record, RecordVerdict, Span};
    use plumb_inspection::{PartId, Stamp, Trigger, TriggerSource};
    use std::{sync::Arc, time::SystemTime};

    #[test]
    fn a_round_deletes_what_is_too_old_and_says_how_long_the_disk_lasts() {
        let folder = tempfile::tempdir().expect("temp folder");
        let ledger = Ledger::open(folder.path(), LedgerConfig::default()).expect("a ledger");
        for (id, days) in [(1, 40), (2, 0)] {
            let wall = SystemTime::now() - days * Duration::from_secs(86_400);
            let at = Stamp { mono: Instant::now(), wall };
            let part = PartId::new(id).expect("not 0");
            let trigger = Trigger { part, source: TriggerSource::Api, at, encoder: None };
            let record = Record::new(&trigger, RecordVerdict::Pass, "washer".into(), "s1");
            ledger.writer().try_send(record).expect("room");
        }
        ledger.close().expect("a good disk");
        let keep = KeepConfig { pass_records_days: Span::Days(30), ..KeepConfig::default() };
        let (_open, stop) = crossbeam_channel::bounded(0);
        let upkeep = Arc::<Mutex<Upkeep>>::default();
        let caretaker = Caretaker { folder: folder.path().to_owned(), keep, stop, upkeep: upkeep.clone() };
        caretaker.round().expect("a good ledger");
        caretaker.round().expect("and again");
        let upkeep = upkeep.lock().expect("nobody panicked").clone();
        assert_eq!((upkeep.records_deleted, upkeep.pictures_deleted), ([0, 0, 0, 1, 0], [0; 5]), "once");
        assert!(upkeep.outlook.is_some_and(|outlook| outlook.days_left > 1.0 && outlook.free > 0));
        let nowhere = Caretaker { folder: folder.path().join("nowhere"), ..caretaker };
        assert!(nowhere.round().is_err());
    }
}
