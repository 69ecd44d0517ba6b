//! Looks at the block without writing a word: the PLC keeps whatever it has, a running station its place.

use crate::{PlcConfig, PlcError, protocol::Protocol, register_map::BLOCK_WORDS};

/// A look at a PLC's memory.
pub struct Watcher {
    protocol: Box<dyn Protocol>,
}

impl Watcher {
    /// Connects with the first look. `None` where there is no PLC.
    ///
    /// # Errors
    /// Values that cannot be served.
    pub fn open(config: &PlcConfig) -> Result<Option<Self>, PlcError> {
        Ok(config.open()?.map(|protocol| Self { protocol }))
    }

    /// All twenty words as they stand in the PLC. After an error the next look connects anew.
    ///
    /// # Errors
    /// What is wrong, as a sentence: also that this protocol cannot look without writing.
    pub async fn look(&mut self) -> Result<[u16; BLOCK_WORDS], String> {
        self.protocol.look().await.map_err(|(_, what)| format!("PLC {} {what}", self.protocol.peer()))
    }
}
