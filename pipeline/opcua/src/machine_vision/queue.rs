//! From the hot path to the server: whoever brings news never waits, and what nobody fetches in time makes room.

use super::commands::InspectionResult;
use plumb_inspection::PartId;
use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::Notify;

/// News that wait at most: half a minute of a fast line. Full: the oldest goes, and is counted.
const LIMIT: usize = 1_024;

/// What the station tells as it happens.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum News {
    /// A part has its verdict.
    Result(Box<InspectionResult>),
    /// A part's pictures are there: it may move on.
    Acquired(PartId),
}

/// News on their way.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<VecDeque<News>>,
    wake: Notify,
    dropped: AtomicU64,
}

impl Queue {
    /// The lock is held for one push or one pop, and never while anything else is done.
    pub(super) fn push(&self, news: News) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == LIMIT {
            waiting.pop_front();
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        waiting.push_back(news);
        drop(waiting);
        self.wake.notify_one();
    }

    pub(super) fn pop(&self) -> Option<News> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Until there may be something.
    pub(super) async fn filled(&self) {
        self.wake.notified().await;
    }

    /// How many made room, ever.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_and_is_counted() {
        let queue = Queue::default();
        for part in 1..=(LIMIT as u32 + 5) {
            queue.push(News::Acquired(PartId::new(part).unwrap()));
        }
        assert_eq!(queue.dropped(), 5);
        assert_eq!(queue.pop(), Some(News::Acquired(PartId::new(6).unwrap())));
        assert_eq!(std::iter::from_fn(|| queue.pop()).count(), LIMIT - 1);
    }
}
