//! What people at the console want done, done.

use super::super::Watchman;
use plumb_console::{Command, Done, Order, Refused, Who};
use plumb_inspection::TriggerSource;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Takes one order after the other until the console is gone. Each was entered in the audit log before it came here.
pub(in crate::background) async fn carry_out(watchman: Arc<Watchman>, mut orders: mpsc::Receiver<Order>) {
    while let Some(Order { by, command, answer }) = orders.recv().await {
        tracing::info!(by = by.name, order = command.name(), "Somebody at the console gave an order.");
        let watchman = watchman.clone();
        // Reading a recipe is a matter for the disk.
        let done = tokio::task::spawn_blocking(move || do_it(&watchman, by, command)).await;
        let _ = answer.send(done.unwrap_or_else(|error| Err(Refused(error.to_string()))));
    }
}

fn do_it(watchman: &Watchman, by: Who, command: Command) -> Result<Done, Refused> {
    match command {
        Command::Rezero => {
            watchman.desk.ask_rezero();
            let says = "the count of parts begins anew as soon as nothing old can come any more".to_owned();
            Ok(Done { says, from_part: None })
        }
        Command::Trigger => {
            let condition = watchman.health.condition();
            if matches!(condition.state, crate::state::State::Stopped | crate::state::State::Fault) {
                return Err(Refused(format!("the station is {}", condition.state.as_str())));
            }
            let part = watchman.desk.ask(TriggerSource::Api, None, None);
            Ok(Done { says: format!("part {part} begins"), from_part: Some(part) })
        }
        Command::LoadRecipe { recipe } => {
            let plan =
                watchman.changeover.by_api(&recipe, true).map_err(|error| Refused(error.to_string()))?;
            let says = format!("recipe \"{}\" is being loaded beside the running one", plan.name);
            Ok(Done { says, from_part: None })
        }
        Command::BeginChallenge => told(watchman.desk.challenge().begin(by)),
        Command::BreakOffChallenge => told(watchman.desk.challenge().break_off(&by)),
    }
}

fn told(done: Result<String, String>) -> Result<Done, Refused> {
    done.map(|says| Done { says, from_part: None }).map_err(Refused)
}
