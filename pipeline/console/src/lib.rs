//! The console: pages for operators, quality engineers and maintenance, and the JSON API behind them.
//!
//! It is *handed* what it may see ([`Seen`]), the recipes' rules ([`Rules`]), the models ([`Models`]), the calibrations ([`Calibrations`]) and a sender for what people want done
//! ([`Order`]); it knows neither the station nor its threads. [`Console::router`] gives an axum router for the station's one listener. Pages are rendered
//! here (askama), changed in place by htmx, and live by one WebSocket; everything they need is in the binary.
//!
//! # How to add a page
//!
//! One gesture: new files `page/<name>.rs`, `page/<name>.html`, `page/<name>.toml`, and one line in
//! `page/mod.rs`.
//!
//! 1. `page/<name>.rs` has `pub(crate) static PAGE: Page`: its path, the [`Right`] it takes to see it, its group in the
//!    menu, its texts (`include_str!("<name>.toml")`) and its `doors`: one `Door` a path and method, **each with
//!    the right it takes**. Nothing is served that does not say so; a change (POST, PUT, DELETE) takes the session's token,
//!    which the shell checks before the page hears of it.
//! 2. A handler takes `Visit` (who asks, language, theme) and `State<Arc<Console>>`, fills a struct with
//!    `#[derive(Template)] #[template(path = "<name>.html")]` that has a field `shell: Shell`, and gives
//!    `visit.page(&template)`. The template begins with `{% extends "shell.html" %}` and fills the block `main`.
//! 3. Texts come from the catalogue alone: `{{ shell.t("<name>.title") }}`. `<name>.toml` holds `key = { en = "…",
//!    zh = "…" }`. A test finds keys without text, texts without use, and words missing in one language.
//! 4. Slow questions (the ledger, a password) go through `Console::ask`, away from the runtime that serves everybody.
//! 5. A change that people make goes through `Console::change`: it is in the audit log before it is done.
//! 6. `tests/every_page.rs` then visits the page in every role and language: status, title, CSP, weight, missing keys.
//!
//! To see it without a station: `cargo run -p plumb-console --example line_in_memory`.

mod asset;
mod calibrations;
mod challenge;
mod command;
mod config;
mod console;
mod counting;
mod difference;
mod guard;
mod live;
mod look;
mod models;
mod page;
mod people;
mod recipe_file;
mod recipe_form;
mod rules;
mod seen;
mod shell;
mod studies;
mod text;

pub use calibrations::{Aim, CalibrationSeen, Calibrations, Guidance, Task, WrittenCalibration};
pub use challenge::{ChallengeEnd, ChallengeSeen, ChallengeStand, KnownPartSeen};
pub use command::{Command, Done, Order, Refused};
pub use config::{ConsoleConfig, ConsoleTls};
pub use console::{Console, Setup};
pub use live::{BoxSeen, LivePicture, Look, Watchers};
pub use models::{ModelFile, ModelRun, ModelSeen, ModelVerified, Models};
pub use page::{PageInfo, pages};
pub use people::{LostPassword, Right, Who, one_time_password};
pub use recipe_file::{CardChoice, Choices, NewText, Trouble, WrittenRecipe};
pub use rules::{ChartAsk, ChartData, Evidence, NewThreshold, Piece, RuleScore, RuleSeen, Rules, Set};
pub use seen::{
    Condition, HealthItem, Kind, Latency, PartSeen, RecipeSeen, Seen, ShiftCount, Snapshot, StationState,
};
