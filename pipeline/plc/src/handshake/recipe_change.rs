//! RecipeChange and RecipeChanging: the PLC asks once, the station says when it is done.

use crate::register_map::FromPlc;
use plumb_inspection::RecipeNumber;
use std::time::{Duration, Instant};

/// A wish of the PLC for another recipe.
#[derive(Debug, Default)]
pub(super) struct RecipeChange {
    asked: Option<RecipeNumber>,
    since: Option<Instant>,
}

impl RecipeChange {
    /// One reading; gives the recipe wanted, once a wish. A wish for the active recipe is granted already.
    pub(super) fn read(
        &mut self,
        now: Instant,
        said: &FromPlc,
        active: RecipeNumber,
    ) -> Option<RecipeNumber> {
        if !said.control.recipe_change {
            self.asked = None;
            return None;
        }
        if self.asked == Some(said.recipe) {
            return None;
        }
        self.asked = Some(said.recipe);
        if said.recipe == active {
            self.since = None;
            return None;
        }
        self.since = Some(now);
        Some(said.recipe)
    }

    /// The station has changed, or has given up.
    pub(super) fn done(&mut self) {
        self.since = None;
    }

    /// True at the moment the change has taken longer than `limit`.
    pub(super) fn tick(&mut self, now: Instant, limit: Duration) -> bool {
        let over = self.since.is_some_and(|since| now.saturating_duration_since(since) >= limit);
        if over {
            self.since = None;
        }
        over
    }

    /// A wish still held after a reconnect is heard again.
    pub(super) fn disconnected(&mut self) {
        self.asked = None;
    }

    /// A change was asked for and is not done.
    pub(super) fn pending(&self) -> bool {
        self.since.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register_map::Control;

    fn wish(recipe_change: bool, recipe: u16) -> FromPlc {
        FromPlc {
            control: Control { recipe_change, ..Control::default() },
            recipe: RecipeNumber(recipe),
            ..FromPlc::default()
        }
    }

    #[test]
    fn a_held_wish_is_heard_once_and_a_granted_one_not_at_all() {
        let (now, active, mut change) = (Instant::now(), RecipeNumber(1), RecipeChange::default());
        assert_eq!(change.read(now, &wish(true, 1), active), None);
        assert!(!change.pending());
        assert_eq!(change.read(now, &wish(true, 2), active), Some(RecipeNumber(2)));
        assert_eq!(change.read(now, &wish(true, 2), active), None);
        assert!(change.pending());
        change.done();
        change.read(now, &wish(false, 2), active);
        assert_eq!(
            change.read(now, &wish(true, 2), active),
            Some(RecipeNumber(2)),
            "asked again, heard again"
        );
    }

    #[test]
    fn a_change_that_never_ends_is_given_up() {
        let (now, limit, mut change) = (Instant::now(), Duration::from_secs(30), RecipeChange::default());
        change.read(now, &wish(true, 2), RecipeNumber(1));
        assert!(!change.tick(now + limit / 2, limit));
        assert!(change.tick(now + limit, limit) && !change.pending());
    }
}
