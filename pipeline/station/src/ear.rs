//! Who listens at the stages: told of each stage as it takes up its work, on that stage's own thread.

use std::{fmt, sync::Arc};

/// Nobody, by default. What listens and hangs, or panics, makes its stage do so: that is how the tests break a stage
/// without a word of it in the stage.
#[derive(Clone, Default)]
pub struct Ear(Option<Arc<dyn Fn(&'static str) + Send + Sync>>);

impl Ear {
    /// `listens` is called with the stage's word, one of [`crate::metrics::HEARTS`].
    pub fn new(listens: impl Fn(&'static str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listens)))
    }

    /// The stage takes up its work.
    pub fn hears(&self, stage: &'static str) {
        if let Some(listens) = &self.0 {
            listens(stage);
        }
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ear").field(&self.0.is_some()).finish()
    }
}
