//! A session with a server: made within a limit or not at all, used, and ended when it breaks.

use super::{
    endpoint,
    failure::{Failure, FailureKind},
    node::{Kind, Node, NodeName, Value, said},
    server::{Login, Server},
};
use crate::security::{Certificate, Own, Pki};
use futures_util::StreamExt;
use jiff::Timestamp;
use opcua::{
    client::{ClientBuilder, IdentityToken, Session, SessionPollResult},
    types::{
        AttributeId, DataValue, NodeId, ReadValueId, StatusCode, TimestampsToReturn, Variant,
        VariantScalarTypeId, WriteValue,
    },
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};
use tokio::{net::TcpStream, sync::watch, task::JoinHandle, time::timeout};

/// How often a quiet session shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How long a server keeps a session that fell silent: a station that died must not hold one of few for long.
const SESSION_MS: u32 = 15_000;

/// Where `NamespaceArray` is (OPC UA Part 5).
const NAMESPACE_ARRAY: (u16, u32) = (0, 2_255);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Up,
    Ended(StatusCode),
}

/// A session. When it breaks, every request fails at once; connect anew for another. Dropping it hangs up.
#[derive(Debug)]
pub struct Client {
    session: Arc<Opaque>,
    state: watch::Receiver<State>,
    events: JoinHandle<()>,
}

/// A session of the library, which has no words for itself.
struct Opaque(Arc<Session>);

impl std::fmt::Debug for Opaque {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

impl Client {
    /// Asks `server` for its endpoints, takes the strongest one that was asked for, checks its certificate against
    /// `pki`, and logs in: all within `limit`, which is each later request's too.
    ///
    /// # Errors
    /// Whatever went wrong, and what to do.
    pub async fn connect(server: &Server, pki: &Pki, own: &Own, limit: Duration) -> Result<Self, Failure> {
        let problems = server.problems();
        if !problems.is_empty() {
            return Err(Failure::ours(FailureKind::Said, problems.join("; ")));
        }
        let expiry = own.certificate.expiry(Timestamp::now());
        if expiry.days() < 0 {
            let why = format!(
                "this station's own certificate {expiry}; `plumb opcua certificate --renew` makes one"
            );
            return Err(Failure::ours(FailureKind::Security, why));
        }
        match timeout(limit, Self::connect_at_leisure(server, pki, own, limit)).await {
            Ok(connected) => connected,
            Err(_) => Err(Failure::timeout("did not complete the connection", limit)),
        }
    }

    async fn connect_at_leisure(
        server: &Server,
        pki: &Pki,
        own: &Own,
        limit: Duration,
    ) -> Result<Self, Failure> {
        let token = token(&server.login)?;
        let mut client = builder(pki, own, limit)
            .client()
            .map_err(|errors| Failure::ours(FailureKind::Said, errors.join("; ")))?;
        let offered = match client.get_server_endpoints_from_url(server.url.as_str()).await {
            Ok(offered) => offered,
            Err(error) => return Err(not_even_asked(server, &error).await),
        };
        let endpoint = endpoint::choose(offered, server)?;
        endpoint::believe(&endpoint, server, pki)?;
        let (session, events) = client
            .connect_to_endpoint_directly(endpoint, token)
            .map_err(|error| Failure::of_error(&error))?;
        let (told, state) = watch::channel(State::Connecting);
        let events = tokio::spawn(async move {
            let mut events = std::pin::pin!(events.enter());
            let ended = loop {
                match events.next().await {
                    Some(Ok(SessionPollResult::Reconnected(_))) => told.send_replace(State::Up),
                    // The library would connect again by itself; whoever holds the session must hear of it instead.
                    Some(Ok(
                        SessionPollResult::ConnectionLost(status)
                        | SessionPollResult::ReconnectFailed(status),
                    ))
                    | Some(Err(status)) => break status,
                    None => break StatusCode::BadConnectionClosed,
                    Some(Ok(_)) => continue,
                };
            };
            told.send_replace(State::Ended(ended));
        });
        let mut client = Self { session: Arc::new(Opaque(session)), state, events };
        match client.while_connecting().await {
            None => Ok(client),
            Some(status) => {
                let user = server.login.name.clone().or_else(|| {
                    server.login.certificate.as_ref().map(|certificate| certificate.display().to_string())
                });
                Err(Failure::of_session(status, own, user.as_deref()))
            }
        }
    }

    /// Waits for the session, or for the status by which it ended. The library's own way to wait never ends if the
    /// session does.
    async fn while_connecting(&mut self) -> Option<StatusCode> {
        let state = self.state.wait_for(|state| *state != State::Connecting).await.map(|state| *state);
        match state {
            Ok(State::Up) => None,
            Ok(State::Ended(status)) => Some(status),
            Ok(State::Connecting) | Err(_) => Some(StatusCode::BadUnexpectedError),
        }
    }

    /// Why the session is over, if it is.
    pub fn ended(&self) -> Option<Failure> {
        match *self.state.borrow() {
            State::Ended(status) => Some(Failure::of_request(status)),
            State::Connecting | State::Up => None,
        }
    }

    /// Looks at variables: that they are there, what they hold, and whether they can be written.
    ///
    /// # Errors
    /// The first that is missing or is no variable that can be read.
    pub async fn look_up(&self, names: &[&NodeName]) -> Result<Vec<Node>, Failure> {
        let namespaces = match names.iter().any(|name| name.needs_namespaces()) {
            true => self.namespaces().await?,
            false => Vec::new(),
        };
        let ids = names.iter().map(|name| name.on(&namespaces)).collect::<Result<Vec<_>, _>>()?;
        let attributes = [AttributeId::Value, AttributeId::DataType, AttributeId::UserAccessLevel];
        let wanted = ids.iter().flat_map(|id| attributes.map(|attribute| (id.clone(), attribute))).collect();
        let told = self.read(wanted).await?;
        let nodes = names.iter().zip(ids).zip(told.chunks_exact(attributes.len()));
        nodes.map(|((name, id), told)| look((*name).clone(), id, told)).collect()
    }

    /// The words of an array.
    ///
    /// # Errors
    /// The session is over, the server says no, or it holds something else.
    pub async fn read_words(&self, node: &Node) -> Result<Vec<u16>, Failure> {
        let mut told = self.read(vec![(node.id.clone(), AttributeId::Value)]).await?;
        node.words(told.pop().expect("`read` has counted them"))
    }

    /// Writes all `values` in one service call. `Ok` says that the server took every one of them.
    ///
    /// # Errors
    /// The session is over, a value does not fit its variable, or the server refused one: then it may have taken others.
    pub async fn write(&self, values: &[(&Node, Value)]) -> Result<(), Failure> {
        let write = |(node, value): &(&Node, Value)| {
            let (node_id, attribute_id) = (node.id.clone(), AttributeId::Value as u32);
            Ok(WriteValue { node_id, attribute_id, value: node.encode(value)?, ..WriteValue::default() })
        };
        let writes = values.iter().map(write).collect::<Result<Vec<_>, Failure>>()?;
        let statuses = self.session.0.write(&writes).await.map_err(|error| Failure::of_error(&error))?;
        if statuses.len() != values.len() {
            return Err(miscounted(statuses.len(), values.len()));
        }
        match values.iter().zip(statuses).find(|(_, status)| !status.is_good()) {
            Some(((node, _), status)) => Err(said(&node.name, status, "write")),
            None => Ok(()),
        }
    }

    /// Takes leave of the server, so that it need not keep the session; gives up after `limit`.
    pub async fn close(mut self, limit: Duration) {
        let _ = timeout(limit, async {
            let _ = self.session.0.disconnect().await; // it is over either way
            let _ = (&mut self.events).await;
        })
        .await;
    }

    async fn namespaces(&self) -> Result<Vec<String>, Failure> {
        let told = self.read(vec![(NAMESPACE_ARRAY.into(), AttributeId::Value)]).await?;
        let Some(Variant::Array(array)) = told.into_iter().next().and_then(|data| data.value) else {
            return Err(Failure::new(
                FailureKind::WrongAnswer,
                "has no NamespaceArray; check that it is an OPC UA server",
            ));
        };
        let text = |variant: &Variant| match variant {
            Variant::String(text) => text.as_ref().to_owned(),
            _ => String::new(),
        };
        Ok(array.values.iter().map(text).collect())
    }

    async fn read(&self, wanted: Vec<(NodeId, AttributeId)>) -> Result<Vec<DataValue>, Failure> {
        let wanted: Vec<_> =
            wanted.into_iter().map(|(id, attribute)| ReadValueId::new(id, attribute)).collect();
        let told = self.session.0.read(&wanted, TimestampsToReturn::Neither, 0.0).await;
        let told = told.map_err(|error| Failure::of_error(&error))?;
        if told.len() != wanted.len() {
            return Err(miscounted(told.len(), wanted.len()));
        }
        Ok(told)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.events.abort();
    }
}

fn miscounted(got: usize, wanted: usize) -> Failure {
    Failure::new(
        FailureKind::WrongAnswer,
        format!("sent {got} results for {wanted}; check that it is an OPC UA server"),
    )
}

fn look(name: NodeName, id: NodeId, told: &[DataValue]) -> Result<Node, Failure> {
    let [value, data_type, access] = told else { unreachable!("three attributes were asked of each") };
    let declared = match &data_type.value {
        Some(Variant::NodeId(id)) => VariantScalarTypeId::try_from(&**id).ok(),
        _ => None,
    };
    // A variable that has no value yet has a bad status, but it has a type.
    if let Some(status) = data_type.status.filter(|status| status.is_bad()) {
        return Err(said(&name, status, "read"));
    }
    if let Some(status @ (StatusCode::BadUserAccessDenied | StatusCode::BadNotReadable)) = value.status {
        return Err(said(&name, status, "read"));
    }
    let kind = Kind::of(value.value.as_ref().unwrap_or(&Variant::Empty), declared).ok_or_else(|| {
        Failure::new(
            FailureKind::Said,
            format!("has {name} without a value and of a type of its own; give it an initial value"),
        )
    })?;
    const CURRENT_WRITE: u8 = 2;
    let writable = !matches!(access.value, Some(Variant::Byte(level)) if level & CURRENT_WRITE == 0);
    Ok(Node { id, name, kind, writable })
}

fn builder(pki: &Pki, own: &Own, limit: Duration) -> ClientBuilder {
    let certificate = &own.certificate;
    ClientBuilder::new()
        .application_name(certificate.common_name.as_deref().unwrap_or("Plumb"))
        .application_uri(certificate.application_uri.as_deref().unwrap_or_default())
        .product_uri("urn:plumb")
        .session_name(certificate.common_name.as_deref().unwrap_or("Plumb"))
        .pki_dir(pki.folder())
        .certificate_path("own/cert.der")
        .private_key_path("own/key.pem")
        .create_sample_keypair(false)
        .trust_server_certs(false)
        .verify_server_certs(true)
        .session_retry_limit(0)
        .session_timeout(SESSION_MS)
        .keep_alive_interval(KEEP_ALIVE)
        .max_failed_keep_alive_count(1)
        .request_timeout(limit)
        .recreate_subscriptions(false)
}

fn token(login: &Login) -> Result<IdentityToken, Failure> {
    let cannot = |why: String| Failure::ours(FailureKind::Login, why);
    match login {
        Login { name: Some(name), password_file: Some(path), .. } => {
            only_ours(path).map_err(cannot)?;
            let password =
                fs::read_to_string(path).map_err(|error| cannot(format!("{} ({error})", path.display())))?;
            Ok(IdentityToken::new_user_name(name, password.trim_end_matches(['\r', '\n']).to_owned()))
        }
        Login { certificate: Some(certificate), key: Some(key), .. } => {
            only_ours(key).map_err(cannot)?;
            let certificate = Certificate::read(certificate).map_err(|error| cannot(error.to_string()))?;
            let pem = fs::read(key).map_err(|error| cannot(format!("{} ({error})", key.display())))?;
            let key = opcua::crypto::PrivateKey::from_pem(&pem)
                .map_err(|_| cannot(format!("{} is no RSA key in PEM", key.display())))?;
            let certificate = opcua::crypto::X509::from_der(&certificate.der())
                .map_err(|error| cannot(error.to_string()))?;
            Ok(IdentityToken::new_x509(certificate, key))
        }
        _ => Ok(IdentityToken::new_anonymous()),
    }
}

fn only_ours(path: &Path) -> Result<(), String> {
    let mode = fs::metadata(path).map_err(|error| format!("cannot read {} ({error})", path.display()))?;
    let mode = mode.permissions().mode() & 0o777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(format!("{} can be read by others (mode {mode:04o}); `chmod 600` it", path.display())),
    }
}

/// The library's error for all that can go wrong with a TCP connection is one; the system knows more.
async fn not_even_asked(server: &Server, error: &opcua::types::Error) -> Failure {
    use std::io::ErrorKind as Io;
    let (_, address) = server.address().expect("`Server::problems` has looked at it");
    match TcpStream::connect(address).await {
        Ok(_) => match Failure::of_error(error) {
            Failure { kind: FailureKind::Closed, .. } => Failure::new(
                FailureKind::Closed,
                "closed the connection before it said what it offers; check that it is an OPC UA server",
            ),
            other => other,
        },
        Err(error) => match error.kind() {
            Io::ConnectionRefused => Failure::new(FailureKind::Refused, "refused the connection"),
            Io::TimedOut => Failure::new(FailureKind::Timeout, "did not take the connection"),
            _ => Failure::new(FailureKind::Unreachable, format!("cannot be reached ({error})")),
        },
    }
}
