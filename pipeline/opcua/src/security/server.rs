//! A server that is secured before anybody adds a node to it: endpoints, limits, certificate and [`Guard`] in place.

use super::{
    certificate::Expect,
    config::OpcUaServerConfig,
    guard::Guard,
    own::Own,
    pki::{Pki, PkiError},
    policy::{Policy, ServerSecurity},
};
use jiff::Timestamp;
use opcua::{
    crypto::SecurityPolicy,
    server::{ServerBuilder, ServerEndpoint},
    types::MessageSecurityMode,
};
use std::sync::Arc;

/// Sessions at a time: an MES, a SCADA system and some people with a browser.
const SESSIONS: usize = 20;

/// Path of every endpoint.
const PATH: &str = "/";

/// A builder with everything of `config` in it, for node managers to be added and built; then
/// `server.run_with(listener)` on a listener bound to `config.listen`. The guard wants to hear of every method
/// ([`Guard::allow`]).
///
/// # Errors
/// The config has problems, or the station's own certificate is not (or no more) good.
pub fn secure(
    config: &OpcUaServerConfig,
    pki: &Pki,
    own: &Own,
) -> Result<(ServerBuilder, Arc<Guard>), ServerError> {
    let mut problems = config.problems();
    let host = config.host.clone().unwrap_or_else(|| own_name(config, own));
    let flaws = own.certificate.flaws(Expect { host: Some(&host), ..Expect::default() }, Timestamp::now());
    if matches!(config.security, ServerSecurity::Encrypted(_)) {
        let path = own.certificate_path.display();
        problems.extend(flaws.iter().map(|flaw| {
            format!(
                "the station's own certificate {path} {flaw}; `plumb opcua certificate --renew` makes one"
            )
        }));
    }
    if !problems.is_empty() {
        return Err(ServerError::Config { problems });
    }
    pki.prune()?;
    let guard = Arc::new(Guard::new(config));
    let uri = own.certificate.application_uri.clone().unwrap_or_default();
    let name = own.certificate.common_name.clone().unwrap_or_else(|| "Plumb".to_owned());
    let mut builder = ServerBuilder::new()
        .application_name(name)
        .product_uri("urn:plumb")
        .application_uri(uri)
        .pki_dir(pki.folder())
        .certificate_path("own/cert.der")
        .private_key_path("own/key.pem")
        .create_sample_keypair(false)
        .trust_client_certs(false)
        .check_cert_time(true)
        .host(host)
        .port(config.listen.port())
        .discovery_urls(vec![PATH.to_owned()])
        .hello_timeout(5)
        .max_sessions(SESSIONS)
        .max_session_timeout_ms(60_000)
        .with_authenticator(guard.clone());
    for (id, endpoint) in endpoints(&config.security) {
        builder = builder.add_endpoint(id, endpoint);
    }
    Ok((builder, guard))
}

// Without user tokens: the guard tells them, and any id here would have to be a user of the library's own.
fn endpoints(security: &ServerSecurity) -> Vec<(&'static str, ServerEndpoint)> {
    let endpoint = |policy: SecurityPolicy, mode| ServerEndpoint::new(PATH, policy, mode, &[]);
    match security {
        ServerSecurity::Encrypted(policies) => policies
            .iter()
            .map(|policy: &Policy| {
                (policy.as_str(), endpoint(policy.as_opcua(), MessageSecurityMode::SignAndEncrypt))
            })
            .collect(),
        ServerSecurity::Open(_) => vec![("None", endpoint(SecurityPolicy::None, MessageSecurityMode::None))],
    }
}

/// What endpoints call this machine: the address it listens on, if that is one, else its certificate's first host.
fn own_name(config: &OpcUaServerConfig, own: &Own) -> String {
    let address = config.listen.ip();
    match (address.is_unspecified(), own.certificate.hosts.first()) {
        (true, Some(host)) => host.clone(),
        _ => address.to_string(),
    }
}

/// A server that must not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The `[opcua]` table, or the station's certificate.
    #[error("{}", problems.join("; "))]
    Config {
        /// Each a sentence.
        problems: Vec<String>,
    },
    /// The folder of certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
}
