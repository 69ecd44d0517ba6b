//! The thread `ledger`: takes records from the queue and commits them in groups.

use crate::{
    Full, LedgerError, Record, ShadowRecord,
    database::{Database, RecordRow},
    gate::Gate,
    ledger::Commits,
    numbers::Numbers,
    picture::PictureRow,
    reserve::Reserve,
    shadow::ShadowRow,
    stats::{Counters, count},
};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select};
use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    slice,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

/// Records that may wait. Ten seconds at 100 parts/s; then the sender gets them back and must say so.
pub(crate) const QUEUE: usize = 1024;

/// Shadow records that may wait; then the sender gets them back, and they are counted.
pub(crate) const SHADOW_QUEUE: usize = 1024;

/// Rows in one commit. A commit of more would itself take longer than a record may wait.
const BATCH: usize = 256;

/// Waits between attempts on a failing disk: doubled from the first to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How long a closing ledger goes on trying a failing disk.
const GIVE_UP: Duration = Duration::from_secs(2);

/// Puts records into the ledger's queue. Clones share the queue.
#[derive(Clone)]
pub struct RecordSender {
    pub(crate) queue: Sender<Record>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) counters: Arc<Counters>,
}

impl RecordSender {
    /// Never waits. What is accepted is on disk within `commit_ms`, unless the disk fails.
    ///
    /// # Errors
    /// The record, when 1024 are waiting or the ledger is closed. It is counted; to tell the operator is the caller's.
    #[allow(clippy::result_large_err)] // the caller gets his record back, as from any queue; boxing would allocate
    pub fn try_send(&self, record: Record) -> Result<(), Full<Record>> {
        let sent = match self.gate.enter() {
            Some(_inside) => self.queue.try_send(record).map_err(|refused| refused.into_inner()),
            None => Err(record),
        };
        sent.map_err(|record| {
            count(&self.counters.refused);
            Full(record)
        })
    }
}

/// Owner of the writing connection and of all rows on their way into it.
pub(crate) struct Writer {
    pub(crate) folder: PathBuf,
    pub(crate) durable: bool,
    pub(crate) commit: Duration,
    /// `None` after an error, until it could be opened again.
    pub(crate) database: Option<Database>,
    pub(crate) records: Receiver<Record>,
    pub(crate) pictures: Receiver<PictureRow>,
    pub(crate) shadows: Receiver<ShadowRecord>,
    /// Part ids run low.
    pub(crate) wake: Receiver<()>,
    /// Disconnected once the ledger closes; by then the gate is shut.
    pub(crate) stop: Receiver<Infallible>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) reserve: Reserve,
    pub(crate) counters: Arc<Counters>,
    pub(crate) batch: Batch,
    pub(crate) commits: Commits,
}

/// Rows of the coming commit, and the row ids last used.
pub(crate) struct Batch {
    records: Vec<RecordRow>,
    pictures: Vec<PictureRow>,
    shadows: Vec<ShadowRow>,
    last_record: i64,
    last_picture: i64,
    last_shadow: i64,
}

impl Batch {
    pub(crate) fn after([last_record, last_picture, last_shadow]: [i64; 3]) -> Self {
        let (pictures, shadows) = (Vec::new(), Vec::new());
        Self { records: Vec::with_capacity(BATCH), pictures, shadows, last_record, last_picture, last_shadow }
    }

    fn add_record(&mut self, record: Record) {
        self.last_record += 1;
        self.records.push(RecordRow::new(self.last_record, record));
    }

    fn add_picture(&mut self, row: PictureRow) {
        self.last_picture += 1;
        self.pictures.push(PictureRow { id: self.last_picture, ..row });
    }

    fn add_shadow(&mut self, record: ShadowRecord) {
        self.last_shadow += 1;
        self.shadows.push(ShadowRow::new(self.last_shadow, record));
    }

    fn len(&self) -> usize {
        self.records.len() + self.pictures.len() + self.shadows.len()
    }
}

impl Writer {
    /// Until the ledger closes and the queue is empty. Hands the database back if it is in order.
    pub(crate) fn run(mut self) -> Option<Database> {
        loop {
            // Asked before collecting: from here on nothing can come in that the collecting does not see.
            self.counters.beat();
            let last_round = self.gate.is_shut() && self.gate.is_empty();
            self.collect();
            if !self.commit() {
                self.lose_everything();
                return None;
            }
            if last_round && self.records.is_empty() && self.pictures.is_empty() && self.shadows.is_empty() {
                return self.database;
            }
        }
    }

    /// Takes rows until the batch is full or its first row has waited long enough.
    fn collect(&mut self) {
        // A row may arrive while a commit runs, waits then, and takes part in another: two commits and this wait are
        // to fit into the interval.
        let commit_took = Duration::from_micros(self.counters.last_commit_us.load(Relaxed));
        let wait = self.commit.saturating_sub(2 * commit_took).max(Duration::from_millis(1));
        let mut commit_at = None;
        while self.batch.len() < BATCH {
            let patience =
                commit_at.map_or(Duration::from_secs(1), |at: Instant| at - Instant::now().min(at));
            select! {
                recv(self.records) -> record => record.into_iter().for_each(|r| self.batch.add_record(r)),
                recv(self.pictures) -> row => row.into_iter().for_each(|r| self.batch.add_picture(r)),
                recv(self.shadows) -> shadow => shadow.into_iter().for_each(|s| self.batch.add_shadow(s)),
                recv(self.wake) -> _ => return,
                recv(self.stop) -> _ => return self.drain(),
                default(patience) => return,
            }
            commit_at.get_or_insert_with(|| Instant::now() + wait);
        }
    }

    /// What is in the queues now, up to a full batch.
    fn drain(&mut self) {
        while self.batch.len() < BATCH
            && let Ok(record) = self.records.try_recv()
        {
            self.batch.add_record(record);
        }
        while self.batch.len() < BATCH
            && let Ok(row) = self.pictures.try_recv()
        {
            self.batch.add_picture(row);
        }
        while self.batch.len() < BATCH
            && let Ok(shadow) = self.shadows.try_recv()
        {
            self.batch.add_shadow(shadow);
        }
    }

    /// Tries until the batch is on disk. The queue fills up meanwhile, and its senders are told. False when the
    /// ledger is closing and the disk still fails.
    fn commit(&mut self) -> bool {
        let (mut backoff, longest) = BACKOFF;
        let mut closing_since = None;
        loop {
            let begun = Instant::now();
            self.counters.beat();
            // A panic in writing is a failed attempt like any other: the batch is still here, and SQLite rolls back.
            let attempt = catch_unwind(AssertUnwindSafe(|| self.attempt()));
            let Err(error) = attempt.unwrap_or(Err(LedgerError::Panicked)) else {
                let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                self.counters.last_commit_us.store(took, Relaxed);
                if self.counters.failing.swap(false, Relaxed) {
                    tracing::info!("The ledger can be written again; nothing that was waiting is lost.");
                }
                self.reserve.look();
                return true;
            };
            count(&self.counters.write_errors);
            if error.is_for_want_of_room() || self.reserve.sees_no_room() {
                self.database = None; // the connection may still think of the disk as it was
                if self.reserve.give_up() {
                    continue;
                }
            }
            self.counters.failing.store(true, Relaxed);
            let waiting = self.batch.records.len() + self.records.len();
            tracing::error!(%error, waiting, retry_ms = backoff.as_millis() as u64, "The ledger could not be written; records wait in memory.");
            if !error.is_busy() {
                self.database = None;
            }
            if self.stop.recv_timeout(backoff) == Err(RecvTimeoutError::Disconnected) {
                if closing_since.get_or_insert(begun).elapsed() > GIVE_UP {
                    return false;
                }
                thread::sleep(BACKOFF.0);
            }
            backoff = (2 * backoff).min(longest);
        }
    }

    fn attempt(&mut self) -> Result<(), LedgerError> {
        if self.database.is_none() {
            let mut database = Database::open(&self.folder, self.durable)?;
            database.reserve(self.numbers.ceiling())?; // it may be a new file that knows nothing of our part ids
            self.database = Some(database);
        }
        let database = self.database.as_mut().expect("opened above");
        if let Some(ceiling) = self.numbers.wanted_ceiling() {
            database.reserve(ceiling)?;
            self.numbers.reserved(ceiling);
        }
        if self.batch.len() == 0 {
            return Ok(());
        }
        (self.commits)();
        match database.write(&self.batch.records, &self.batch.pictures, &self.batch.shadows) {
            Err(error) if error.is_about_the_rows() => return self.write_singly(),
            other => other?,
        }
        self.counters.committed.fetch_add(self.batch.records.len() as u64, Relaxed);
        self.counters.shadows_committed.fetch_add(self.batch.shadows.len() as u64, Relaxed);
        self.batch.records.clear();
        self.batch.pictures.clear();
        self.batch.shadows.clear();
        Ok(())
    }

    /// One row of the batch is not to the database's liking. The others shall not suffer for it.
    fn write_singly(&mut self) -> Result<(), LedgerError> {
        let database = self.database.as_mut().expect("the batch was just refused by it");
        while let Some(row) = self.batch.records.first() {
            match database.write(slice::from_ref(row), &[], &[]) {
                Err(error) if error.is_about_the_rows() => {
                    count(&self.counters.lost);
                    row.log_lost(&error);
                }
                other => {
                    other?;
                    count(&self.counters.committed);
                }
            }
            self.batch.records.remove(0);
        }
        while let Some(row) = self.batch.pictures.first() {
            match database.write(&[], slice::from_ref(row), &[]) {
                Err(error) if error.is_about_the_rows() => {
                    tracing::error!(part = %row.part, %error, "A picture's entry is lost.");
                }
                other => other?,
            }
            self.batch.pictures.remove(0);
        }
        while let Some(row) = self.batch.shadows.first() {
            match database.write(&[], &[], slice::from_ref(row)) {
                Err(error) if error.is_about_the_rows() => {
                    count(&self.counters.shadows_lost);
                    row.log_lost(&error);
                }
                other => {
                    other?;
                    count(&self.counters.shadows_committed);
                }
            }
            self.batch.shadows.remove(0);
        }
        Ok(())
    }

    /// The station closes on a disk that fails: what cannot be kept is at least said, each part by its whole record.
    fn lose_everything(&mut self) {
        while !self.gate.is_empty() {
            thread::yield_now(); // a sender is in the doorway: a few instructions
        }
        loop {
            self.counters.lost.fetch_add(self.batch.records.len() as u64, Relaxed);
            self.batch
                .records
                .drain(..)
                .for_each(|row| row.log_lost(&"the disk failed until the ledger closed"));
            self.batch.pictures.clear();
            self.counters.shadows_lost.fetch_add(self.batch.shadows.len() as u64, Relaxed);
            self.batch
                .shadows
                .drain(..)
                .for_each(|row| row.log_lost(&"the disk failed until the ledger closed"));
            self.drain();
            if self.batch.len() == 0 {
                return;
            }
        }
    }
}
