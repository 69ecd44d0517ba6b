//! One station's ledger: opens it, starts its threads, hands out the ends of its queues, and closes it.

use crate::{
    LedgerConfig, LedgerError, LedgerStats, ModelBook, PartNumbers, PictureSender, Reader, RecordSender,
    ShadowSender, Upkeep,
    caretaker::Caretaker,
    checkpoint,
    database::Database,
    gate::Gate,
    numbers::Numbers,
    picture::{self, PictureWriter},
    reserve::Reserve,
    schema,
    stats::Counters,
    writer::{self, Batch, Writer},
};
use crossbeam_channel::{Sender, bounded};
use std::{
    convert::Infallible,
    fs::{self, File, TryLockError},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    thread::{self, JoinHandle},
    time::Duration,
};

/// Hears that rows are about to be written.
pub type Commits = Box<dyn FnMut() + Send>;

/// Owner of the ledger's threads. Dropping it closes it, and logs what [`Ledger::close`] would return.
pub struct Ledger {
    folder: PathBuf,
    records: RecordSender,
    shadows: ShadowSender,
    pictures: PictureSender,
    numbers: PartNumbers,
    counters: Arc<Counters>,
    upkeep: Arc<Mutex<Upkeep>>,
    threads: Option<Threads>,
    /// Held until the end: no second process on this folder.
    _lock: File,
}

/// The threads, each with the sender whose disconnection ends it.
struct Threads {
    ledger: (JoinHandle<Option<Database>>, Sender<Infallible>),
    pictures: (JoinHandle<()>, Sender<Infallible>),
    checkpoint: (JoinHandle<()>, Sender<Infallible>),
    caretaker: (JoinHandle<()>, Sender<Infallible>),
}

impl Ledger {
    /// Opens the ledger in `folder`, makes it if there is none, and starts the threads `ledger`, `pictures`,
    /// `checkpoint` and `caretaker`.
    ///
    /// # Errors
    /// When a config value is out of range, the folder cannot be written, another process has it, or the database
    /// is damaged, foreign or of a later version.
    pub fn open(folder: &Path, config: LedgerConfig) -> Result<Self, LedgerError> {
        Self::open_heard(folder, config, Box::new(|| ()))
    }

    /// As [`Ledger::open`]; `commits` is called on thread `ledger` before each commit, which waits for it.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_heard(folder: &Path, config: LedgerConfig, commits: Commits) -> Result<Self, LedgerError> {
        if let Some((key, says)) = config.problems().into_iter().next() {
            return Err(LedgerError::Config { key, says });
        }
        let lock = lock(folder)?;
        let mut database = Database::open(folder, config.durable)?;
        let (wake, woken) = bounded(1); // one is as good as many
        let numbers = Numbers::from_ceiling(database.ceiling()?, wake);
        let shared = numbers.shared();
        if let Some(ceiling) = shared.wanted_ceiling() {
            database.reserve(ceiling)?;
            shared.reserved(ceiling);
        }
        let counters = Arc::new(Counters::default());
        let (record_gate, picture_gate) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
        // Capacity and what happens when full: see the constants.
        let (records_in, records_out) = bounded(writer::QUEUE);
        let (shadows_in, shadows_out) = bounded(writer::SHADOW_QUEUE);
        let (jobs_in, jobs_out) = bounded(picture::QUEUE);
        let (rows_in, rows_out) = bounded(picture::ROWS_QUEUE);
        let stops = [(); 4].map(|()| bounded::<Infallible>(0));
        let [
            (ledger_stop, ledger_stopped),
            (pictures_stop, pictures_stopped),
            (checkpoint_stop, checkpoint_stopped),
            (caretaker_stop, caretaker_stopped),
        ] = stops;
        let upkeep = Arc::new(Mutex::new(Upkeep::default()));
        let caretaker = Caretaker {
            folder: folder.to_owned(),
            keep: config.keep.clone(),
            stop: caretaker_stopped,
            upkeep: Arc::clone(&upkeep),
        };
        let writer = Writer {
            folder: folder.to_owned(),
            durable: config.durable,
            commit: Duration::from_millis(config.commit_ms),
            batch: Batch::after(database.last_rows()?),
            database: Some(database),
            records: records_out,
            pictures: rows_out,
            shadows: shadows_out,
            wake: woken,
            stop: ledger_stopped,
            gate: Arc::clone(&record_gate),
            numbers: shared,
            reserve: Reserve::new(folder, config.reserve_mb, Arc::clone(&counters.on_reserve)),
            counters: Arc::clone(&counters),
            commits,
        };
        let picture_writer = PictureWriter {
            folder: folder.to_owned(),
            config: config.picture,
            durable: config.durable,
            jobs: jobs_out,
            rows: rows_in.clone(),
            stop: pictures_stopped,
            gate: Arc::clone(&picture_gate),
            counters: Arc::clone(&counters),
        };
        let path = schema::path(folder);
        let threads = Threads {
            ledger: (spawn("ledger", move || writer.run())?, ledger_stop),
            pictures: (spawn("pictures", move || picture_writer.run())?, pictures_stop),
            checkpoint: (
                spawn("checkpoint", move || checkpoint::run(&path, &checkpoint_stopped))?,
                checkpoint_stop,
            ),
            caretaker: (spawn("caretaker", move || caretaker.run())?, caretaker_stop),
        };
        Ok(Self {
            folder: folder.to_owned(),
            shadows: ShadowSender {
                queue: shadows_in,
                gate: Arc::clone(&record_gate),
                counters: Arc::clone(&counters),
            },
            records: RecordSender { queue: records_in, gate: record_gate, counters: Arc::clone(&counters) },
            pictures: PictureSender {
                queue: jobs_in,
                rows: rows_in,
                gate: picture_gate,
                counters: Arc::clone(&counters),
            },
            numbers,
            counters,
            upkeep,
            threads: Some(threads),
            _lock: lock,
        })
    }

    /// Hands out part ids.
    pub fn numbers(&self) -> PartNumbers {
        self.numbers.clone()
    }

    /// The end of the records' queue, 1024 long.
    pub fn writer(&self) -> RecordSender {
        self.records.clone()
    }

    /// The end of the shadow records' queue, 1024 long.
    pub fn shadows(&self) -> ShadowSender {
        self.shadows.clone()
    }

    /// The end of the pictures' queue, 4 long.
    pub fn pictures(&self) -> PictureSender {
        self.pictures.clone()
    }

    /// A reader with a connection of its own.
    pub fn reader(&self) -> Reader {
        Reader::new(&self.folder)
    }

    /// The models, with connections of its own.
    pub fn models(&self) -> ModelBook {
        ModelBook::new(&self.folder)
    }

    /// How things stand, without asking the database: safe to call from `/metrics`.
    pub fn stats(&self) -> LedgerStats {
        let died = self.threads.as_ref().is_none_or(|threads| threads.ledger.0.is_finished());
        let counted = self.counters.snapshot();
        LedgerStats {
            failing: counted.failing || died,
            queue_depth: self.records.queue.len() as u64,
            shadows_queue_depth: self.shadows.queue.len() as u64,
            pictures_queue_depth: self.pictures.queue.len() as u64,
            numbers_unreserved: self.numbers.shared().unreserved(),
            ..counted
        }
    }

    /// What was deleted by rule, how long the disk lasts, when the last backup was taken: as the caretaker last saw it.
    pub fn upkeep(&self) -> Upkeep {
        self.upkeep.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes nothing more, writes what is waiting, and ends the threads. A disk that fails is tried for two seconds.
    ///
    /// # Errors
    /// When records were lost; the log has each of them.
    pub fn close(mut self) -> Result<(), LedgerError> {
        self.shut()
    }

    fn shut(&mut self) -> Result<(), LedgerError> {
        let Some(threads) = self.threads.take() else { return Ok(()) };
        join(threads.caretaker);
        // Pictures first: their entries go through the ledger.
        self.pictures.gate.shut();
        join(threads.pictures);
        join(threads.checkpoint);
        self.records.gate.shut();
        let alone = self.numbers.is_ours_alone();
        let next = self.numbers.shared();
        if let Some(mut database) = join(threads.ledger).flatten()
            && alone
            && let Err(error) = database.reserve(next.next_count())
        {
            // Nobody can ask for an id any more, so the unused ones go back and the next start goes on without a jump.
            tracing::warn!(%error, "Unused part ids could not be given back; the next start leaves them out.");
        }
        match self.counters.lost.load(Relaxed) {
            0 => Ok(()),
            records => Err(LedgerError::Unwritten { records }),
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if let Err(error) = self.shut() {
            tracing::error!(%error, "The ledger did not close in order.");
        }
    }
}

fn spawn<T: Send + 'static>(
    thread: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, LedgerError> {
    let spawned = thread::Builder::new().name(thread.to_owned()).spawn(work);
    spawned.map_err(|source| LedgerError::Thread { thread, source })
}

/// Tells a thread to end and waits for it.
fn join<T>((thread, stop): (JoinHandle<T>, Sender<Infallible>)) -> Option<T> {
    drop(stop);
    let name = thread.thread().name().unwrap_or("?").to_owned();
    thread.join().inspect_err(|_| tracing::error!(thread = name, "A thread of the ledger panicked.")).ok()
}

/// The lock goes with the process, however that ends.
pub(crate) fn lock(folder: &Path) -> Result<File, LedgerError> {
    let path = folder.join("lock");
    let unusable = |source| LedgerError::Folder { path: path.clone(), source };
    fs::create_dir_all(folder).map_err(|source| LedgerError::Folder { path: folder.to_owned(), source })?;
    let mut file =
        File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(unusable)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut process = String::new();
            let known = file.read_to_string(&mut process).is_ok() && !process.is_empty();
            let holder = if known { format!("process {process}") } else { "another process".to_owned() };
            Err(LedgerError::InUse { folder: folder.to_owned(), holder })
        }
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}
