//! How many look at live pictures: where nobody does, none is encoded.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Counts who looks. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Watchers(Arc<AtomicUsize>);

impl Watchers {
    /// Whether anybody looks now. One load; may be asked on the hot path.
    pub fn any(&self) -> bool {
        self.0.load(Relaxed) > 0
    }

    /// How many look.
    pub fn count(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// Somebody begins to look, until the value is dropped.
    pub fn look(&self) -> Look {
        self.0.fetch_add(1, Relaxed);
        Look(self.0.clone())
    }
}

/// Somebody looks as long as this lives.
#[derive(Debug)]
pub struct Look(Arc<AtomicUsize>);

impl Drop for Look {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_looks_once_the_last_one_has_gone() {
        let watchers = Watchers::default();
        let (one, two) = (watchers.look(), watchers.clone().look());
        drop(one);
        assert!(watchers.any() && watchers.count() == 1);
        drop(two);
        assert!(!watchers.any());
    }
}
