//! Keeps one server: connects, looks whether the model is there, and looks again whenever there is doubt.

use crate::{
    Metadata, Options, Why,
    backoff::Backoff,
    board::{Board, Client, Server, Serving, State},
    proto::{ModelMetadataRequest, ModelReadyRequest, ServerReadyRequest},
};
use std::sync::{Arc, OnceLock};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tonic::{Code, transport::Endpoint};

/// Largest answer to a look.
const LOOK_BYTES_MAX: usize = 1 << 20;

/// Keeps one server.
pub(crate) struct Keeper {
    /// Its place on the board.
    pub(crate) at: usize,
    pub(crate) endpoint: Endpoint,
    pub(crate) options: Options,
    pub(crate) board: Arc<Board>,
    /// What the first server said; the others must agree.
    pub(crate) metadata: Arc<OnceLock<Metadata>>,
}

impl Keeper {
    /// Never ends.
    pub(crate) async fn keep(self) {
        let mut backoff = Backoff::new(self.options.retry_min, self.options.retry_max);
        let mut failed = 0;
        let mut cleared = 0;
        for connection in 0.. {
            // A new one each time: an old one may be half open, and would swallow the look as well.
            let mut client =
                Client::new(self.endpoint.connect_lazy()).max_decoding_message_size(LOOK_BYTES_MAX);
            let why = match self.look(&mut client).await {
                Ok(metadata) => {
                    let limit = metadata.answer_bytes_max(self.options.answer_bytes_max);
                    let client = client.max_decoding_message_size(limit);
                    cleared += 1;
                    let serving = Serving { client: client.clone(), connection, cleared, in_doubt: false };
                    self.board.set(self.at, State::Serving(serving));
                    tracing::info!(
                        server = self.name(),
                        model = self.board.model,
                        "Inference server is there."
                    );
                    backoff.reset();
                    failed = 0;
                    self.watch(client, &mut cleared).await
                }
                Err(why) => why,
            };
            failed += 1;
            let wait = backoff.wait();
            if failed == 1 {
                tracing::warn!(server = self.name(), model = self.board.model, %why, "Inference server set aside.");
            } else {
                tracing::debug!(server = self.name(), model = self.board.model, %why, failed, "Still aside.");
            }
            self.board.set(self.at, State::Aside { why, failed });
            sleep(wait).await;
        }
    }

    /// Looks from time to time while nothing is asked, and at once when there is doubt. Ends when the server does not
    /// serve any more.
    async fn watch(&self, mut client: Client, cleared: &mut u64) -> Why {
        let mut board = self.board.watch();
        loop {
            let in_doubt = tokio::select! {
                in_doubt = doubted(self.at, &mut board) => in_doubt,
                () = sleep(self.options.look_every) => false,
            };
            // Requests under way tell more than a look would, and a slow model may keep its server from looks.
            if !in_doubt && !self.board.is_idle(self.at) {
                continue;
            }
            if let Err(why) = self.look(&mut client).await {
                return why;
            }
            *cleared += 1;
            self.board.clear(self.at, *cleared);
        }
    }

    /// Whether the model is there, is ready, and is the one that we know.
    async fn look(&self, client: &mut Client) -> Result<Metadata, Why> {
        let within = self.options.look_within;
        let metadata = timeout(within, self.ask(client)).await.unwrap_or(Err(Why::Silent { within }))?;
        let ours = self.metadata.get_or_init(|| metadata.clone());
        if !ours.is_same_model(&metadata) {
            return Err(Why::OtherModel { it: metadata.to_string(), ours: ours.to_string() });
        }
        Ok(metadata)
    }

    async fn ask(&self, client: &mut Client) -> Result<Metadata, Why> {
        let (name, version) = (self.board.model.clone(), self.options.version.clone());
        let of = |status| Why::of(&status, self.options.look_within);
        let request = ModelMetadataRequest { name: name.clone(), version: version.clone() };
        let metadata = match client.model_metadata(request).await {
            Ok(said) => Metadata::read(said.into_inner()).map_err(|says| Why::Malformed { says })?,
            // Servers that are still loading do not know the model either.
            Err(status) if status.code() == Code::NotFound => {
                let all = client.server_ready(ServerReadyRequest {}).await.map_err(of)?;
                return Err(if all.into_inner().ready { Why::UnknownModel } else { Why::NotReady });
            }
            Err(status) => return Err(of(status)),
        };
        let said = client.model_ready(ModelReadyRequest { name, version }).await.map_err(of)?;
        if said.into_inner().ready { Ok(metadata) } else { Err(Why::NotReady) }
    }

    fn name(&self) -> &str {
        self.endpoint.uri().authority().map_or("", |authority| authority.as_str())
    }
}

/// Waits for a doubt; true.
async fn doubted(at: usize, board: &mut watch::Receiver<Vec<Server>>) -> bool {
    let in_doubt = |servers: &Vec<Server>| match &servers[at].state {
        State::Serving(serving) => serving.in_doubt,
        State::New | State::Aside { .. } => false,
    };
    board.wait_for(in_doubt).await.is_ok()
}
