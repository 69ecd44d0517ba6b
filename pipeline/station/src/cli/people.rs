//! `plumb people`: who may log in at the console, and the way back in when nobody can.

use super::{Exit, fail, parts::WhichLedger, print, say};
use plumb_console::{LostPassword, one_time_password};
use plumb_ledger::{PeopleBook, PeopleError, User};
use serde_json::json;

/// What `plumb people` can do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum People {
    /// Everybody with an account at the console.
    List(List),
    /// Give somebody a new one-time password, with the station running or not. It is shown here and nowhere else.
    Reset(Reset),
}

/// Arguments of `plumb people list`.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    which: WhichLedger,
    /// One document, schema plumb.people/1.
    #[arg(long)]
    json: bool,
}

/// Arguments of `plumb people reset`.
#[derive(Debug, clap::Args)]
pub(super) struct Reset {
    /// Whose.
    name: String,
    /// Why: it goes into the audit log.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    which: WhichLedger,
}

impl People {
    pub(super) fn run(self) -> Exit {
        match self {
            Self::List(list) => list.run(),
            Self::Reset(reset) => reset.run(),
        }
    }
}

impl List {
    fn run(self) -> Exit {
        let users = match self.which.folder() {
            Ok(folder) => PeopleBook::new(&folder).users(),
            Err(exit) => return exit,
        };
        let users = match users {
            Ok(users) => users,
            Err(error) => return fail(exit_of(&error), error),
        };
        let word = |user: &User| match (user.active, user.must_change) {
            (false, _) => "out of use",
            (true, true) => "must choose a password",
            (true, false) => "in use",
        };
        if self.json {
            let users: Vec<_> = users
                .iter()
                .map(|user| json!({ "name": user.name, "role": user.role, "active": user.active, "must_change": user.must_change }))
                .collect();
            print(format!("{:#}\n", json!({ "schema": "plumb.people/1", "people": users })).as_bytes());
        } else if users.is_empty() {
            say("nobody: `plumb run` makes the first administrator when it starts");
        } else {
            let widest = users.iter().map(|user| user.name.chars().count()).max().unwrap_or(0);
            for user in &users {
                say(&format!("{:widest$}  {:11}  {}", user.name, user.role.as_str(), word(user)));
            }
        }
        Exit::Ok
    }
}

impl Reset {
    fn run(self) -> Exit {
        if self.reason.trim().is_empty() {
            return fail(Exit::Usage, "--reason is empty; say why: it goes into the audit log");
        }
        let folder = match self.which.folder() {
            Ok(folder) => folder,
            Err(exit) => return exit,
        };
        // A name that sudo was given is whose hands it was.
        let by = ["SUDO_USER", "USER"].into_iter().find_map(|name| std::env::var(name).ok());
        let by = by.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
        match one_time_password(&folder, &self.name, &by, self.reason.trim()) {
            Ok(password) => {
                say(&format!("{}: one-time password {password}", self.name));
                say("it must be changed at the first login; sessions that are open go on until they end");
                Exit::Ok
            }
            Err(error @ LostPassword::Nobody { .. }) => fail(Exit::Usage, error),
            Err(LostPassword::People(error)) => fail(exit_of(&error), error),
            Err(error) => fail(Exit::Device, error),
        }
    }
}

fn exit_of(error: &PeopleError) -> Exit {
    match error {
        PeopleError::Absent { .. } => Exit::Usage,
        _ => Exit::Device,
    }
}
