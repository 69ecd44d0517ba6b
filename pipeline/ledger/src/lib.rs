//! Record to SQLite and pictures on disk, off the hot path.
//!
//! One folder holds one station's ledger: `ledger.sqlite` (WAL), `pictures/YYYY-MM-DD/…`, `lock` and `reserve`. Four
//! threads work in it: `ledger` owns the writing connection and commits in groups, `pictures` encodes, `checkpoint` moves
//! the write-ahead log into the database so that no commit waits for the disk, and `caretaker` deletes what the rules of
//! `[ledger.keep]` no longer keep. The hot path only ever tries a bounded queue; what a full queue refuses comes back to
//! the sender and is counted. On a full disk records go on into the room that `reserve` held for them.
//!
//! Models have their book in the same database ([`ModelBook`]): changed seldom, over connections of their own, by the
//! station or by a command beside it. What shadow models say goes into the same commits as records, by a queue of its
//! own ([`ShadowSender`]). What people say parts really were is kept beside the records ([`TruthBook`]) and never
//! changes one.
//!
//! Who may use the console ([`PeopleBook`]) and what they did ([`AuditLog`], an append-only chain of hashes) is in a file of
//! its own, `people.sqlite`, so that a ledger which is moved away takes neither with it.
//!
//! What is kept when: a **killed process** loses nothing older than one commit interval. A **power failure** may take
//! the last seconds with it, unless `durable = true` makes every commit wait for the disk. Part ids are safe in both
//! cases: their reserve is always written through.

mod audit;
mod backup;
mod beside;
mod caretaker;
mod check;
mod checkpoint;
mod config;
mod database;
mod demosaic;
mod encode;
mod error;
mod export;
mod gate;
mod keep;
mod ledger;
mod model;
mod numbers;
mod people;
mod picture;
mod proposal;
mod reader;
mod record;
mod reserve;
mod retention;
mod schema;
mod search;
mod shadow;
mod stats;
mod truth;
mod writer;

pub use audit::{AuditEntry, AuditLog, AuditQuery, AuditSchema, NewAuditEntry, Verified};
pub use backup::{Backup, BackupError, BackupFile};
pub use caretaker::Upkeep;
pub use check::Checked;
pub use config::{LedgerConfig, PictureConfig, PictureFormat};
pub use error::{Full, LedgerError};
pub use export::ExportFormat;
pub use keep::keep_picture;
pub use ledger::{Commits, Ledger};
pub use model::{LivePlace, ModelBook, ModelChange, ModelEntry, ModelError, ModelState, NewModel, pick};
pub use numbers::PartNumbers;
pub use people::{PeopleBook, PeopleError, Role, Session, Token, User};
pub use picture::{PictureJob, PictureSender};
pub use proposal::{
    Change, NewProposal, Proposal, ProposalBook, ProposalError, ProposalState, RecipeVersion, VersionBook,
};
pub use reader::{Query, Reader};
pub use record::{
    MissingPicture, ModelRecord, Picture, PlcRecord, Record, RecordVerdict, Schema, Timings, ViewRecord,
};
pub use retention::{
    DiskUse, KEEP_RULES, KeepConfig, KeepRule, Outlook, Pin, PinBook, PinError, Span, Sweep, Swept,
};
pub use search::{Cursor, CursorError, Found, Search};
pub use shadow::{
    Interval, ShadowQuery, ShadowRecord, ShadowSchema, ShadowSender, ShadowSummary, ShadowVerdict,
};
pub use stats::LedgerStats;
pub use truth::{Newest, PartSet, Review, Said, Truth, TruthBook, TruthError, Witnessed, Word};
pub use writer::RecordSender;
