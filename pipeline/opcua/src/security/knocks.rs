//! Who knocked at the server: told to a person once each, and kept within bounds. The library keeps everybody's
//! certificate and says nothing that a person could act on.

use super::{
    certificate::Certificate,
    pki::{Pki, PkiError},
};
use std::{collections::HashSet, path::PathBuf, time::Duration};

/// How often `rejected/` is looked at; anybody can write a few files there in the meantime, and no more.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// To be run beside a server, for as long as it runs: it never ends by itself.
pub async fn watch_knocks(pki: Pki) {
    let mut knocks = Knocks::default();
    loop {
        let pki = pki.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let new = knocks.look(&pki);
            (knocks, new)
        });
        let Ok((seen, new)) = looked.await else { return }; // the runtime is shutting down
        knocks = seen;
        match new {
            Ok(new) => new.iter().for_each(tell),
            Err(error) => tracing::error!(%error, "The folder of OPC UA certificates cannot be looked at."),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn tell(certificate: &Certificate) {
    let digits = certificate.thumbprint.get(..12).unwrap_or_default();
    let trust = format!("plumb opcua trust {digits}");
    tracing::warn!(client = %certificate, trust, "A client with a certificate that nobody trusts was turned away.");
}

/// The files seen so far.
#[derive(Debug, Default)]
struct Knocks {
    seen: HashSet<PathBuf>,
}

impl Knocks {
    /// Those who knocked since it was asked last; the oldest files go.
    fn look(&mut self, pki: &Pki) -> Result<Vec<Certificate>, PkiError> {
        pki.prune()?;
        let there = pki.rejected()?;
        let new = there.iter().filter(|entry| !self.seen.contains(&entry.path));
        let new = new.filter_map(|entry| entry.certificate.as_ref().ok().cloned()).collect();
        self.seen = there.into_iter().map(|entry| entry.path).collect();
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::Wish;

    #[test]
    fn each_who_knocks_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::open(folder.path()).unwrap();
        let own = pki.own_or_new(&Wish::of_this_machine()).unwrap().certificate;
        let mut knocks = Knocks::default();
        assert!(knocks.look(&pki).unwrap().is_empty());
        pki.knocked(&own).unwrap();
        assert_eq!(knocks.look(&pki).unwrap()[0].thumbprint, own.thumbprint);
        assert!(knocks.look(&pki).unwrap().is_empty());
        pki.trust(&own.thumbprint).unwrap();
        knocks.look(&pki).unwrap();
        pki.distrust(&own.thumbprint).unwrap();
        assert_eq!(knocks.look(&pki).unwrap().len(), 1, "again after it was gone");
    }
}
