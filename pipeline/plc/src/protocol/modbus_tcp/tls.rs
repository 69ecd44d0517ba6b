//! Modbus/TCP Security: Modbus inside TLS 1.2 or 1.3, usually on port 802. Each end shows a certificate, and each checks
//! the other's against one authority, the plant's own. What is wrong with a certificate is said in words: [`refusal`].

mod refusal;
mod role;

use crate::{Role, pem};
pub(super) use refusal::{fault, refusal};
pub(super) use role::role_of;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    server::WebPkiClientVerifier,
};
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// `tls` in the `[plc]` table. The files are PEM, and are read when the link starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The authority (or several, one after the other) that issued the other end's certificate. Nothing else is
    /// trusted, no public authority either.
    pub ca: PathBuf,
    /// The station's own certificate, with those between it and the authority after it.
    pub certificate: PathBuf,
    /// Its private key. Readable by its owner alone, or it is refused.
    pub key: PathBuf,
    /// Client: the name that the PLC's certificate must be for, where it is not the host of `address`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Server: roles that may use the registers, as the callers' certificates give them (extension
    /// 1.3.6.1.4.1.50316.802.1). Empty: whoever the authority vouches for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

impl TlsConfig {
    /// Every problem of these values, as sentences. Looks into no file.
    pub(super) fn problems(&self, role: Role, address: &str) -> Vec<String> {
        let mut problems = Vec::new();
        match role {
            Role::Client if !self.roles.is_empty() => {
                problems
                    .push("plc tls.roles is for the role \"server\"; the PLC checks ours itself".to_owned());
            }
            Role::Client => problems.extend(self.name(address).err()),
            Role::Server if self.server_name.is_some() => {
                problems
                    .push("plc tls.server_name is for the role \"client\"; a server is not asked".to_owned());
            }
            Role::Server => {}
        }
        problems
    }

    /// Every problem of the files, as sentences.
    pub(super) fn file_problems(&self) -> Vec<String> {
        self.read().err().unwrap_or_default()
    }

    /// Paths that are not absolute begin at `folder`.
    pub(super) fn relative_to(&mut self, folder: &Path) {
        for path in [&mut self.ca, &mut self.certificate, &mut self.key] {
            *path = folder.join(&*path);
        }
    }

    /// For the client, with the name to insist on.
    ///
    /// # Errors
    /// Every problem of the files, as sentences.
    pub(super) fn connector(
        &self,
        address: &str,
    ) -> Result<(TlsConnector, ServerName<'static>), Vec<String>> {
        let Files { roots, chain, key } = self.read()?;
        let name = self.name(address).map_err(|problem| vec![problem])?;
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map(|config| config.with_root_certificates(roots))
            .and_then(|config| config.with_client_auth_cert(chain, key))
            .map_err(|error| vec![self.unusable(&error)])?;
        Ok((TlsConnector::from(Arc::new(config)), name))
    }

    /// For the server: who shows no certificate of the authority is turned away.
    ///
    /// # Errors
    /// Every problem of the files, as sentences.
    pub(super) fn acceptor(&self) -> Result<TlsAcceptor, Vec<String>> {
        let Files { roots, chain, key } = self.read()?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| vec![format!("plc tls.ca {}: {error}", self.ca.display())])?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map(|config| config.with_client_cert_verifier(verifier))
            .and_then(|config| config.with_single_cert(chain, key))
            .map_err(|error| vec![self.unusable(&error)])?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn name(&self, address: &str) -> Result<ServerName<'static>, String> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let name = self.server_name.as_deref().unwrap_or(host.trim_matches(['[', ']']));
        ServerName::try_from(name.to_owned()).map_err(|_| {
            format!(
                "plc tls.server_name \"{name}\" should be a host name or an address, as plc-7 or 10.0.4.7"
            )
        })
    }

    fn unusable(&self, error: &rustls::Error) -> String {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        match error {
            rustls::Error::InconsistentKeys(_) => format!(
                "plc tls.key {key} is not the key of tls.certificate {certificate}; put files of one pair there"
            ),
            error => format!("plc tls.certificate {certificate} with tls.key {key} cannot be used: {error}"),
        }
    }

    fn read(&self) -> Result<Files, Vec<String>> {
        let mut problems = Vec::new();
        let mut roots = RootCertStore::empty();
        for authority in
            pem::certificates("plc tls.ca", &self.ca).map_err(|says| problems.push(says)).unwrap_or_default()
        {
            if let Err(error) = roots.add(authority) {
                problems.push(format!("plc tls.ca {}: {error}", self.ca.display()));
            }
        }
        let chain = pem::certificates("plc tls.certificate", &self.certificate);
        let chain = chain.map_err(|says| problems.push(says)).unwrap_or_default();
        problems.extend(
            chain.first().and_then(|own| pem::out_of_date("plc tls.certificate", own, &self.certificate)),
        );
        let key = pem::private_key("plc tls.key", &self.key).map_err(|problem| problems.push(problem)).ok();
        match key {
            Some(key) if problems.is_empty() => Ok(Files { roots, chain, key }),
            _ => Err(problems),
        }
    }
}

/// What the three files hold.
struct Files {
    roots: RootCertStore,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
