//! Modbus/TCP Security: Modbus inside TLS 1.2 or 1.3, usually on port 802. Each end shows a certificate, and each checks
//! the other's against one authority, the plant's own. What is wrong with a certificate is said in words: [`refusal`].

mod refusal;
mod role;

use crate::Role;
pub(super) use refusal::{fault, refusal};
pub(super) use role::role_of;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use serde::{Deserialize, Serialize};
use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

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
        for authority in certificates("ca", &self.ca, &mut problems) {
            if let Err(error) = roots.add(authority) {
                problems.push(format!("plc tls.ca {}: {error}", self.ca.display()));
            }
        }
        let chain = certificates("certificate", &self.certificate, &mut problems);
        problems.extend(chain.first().and_then(|own| out_of_date(own, &self.certificate)));
        let key = private_key(&self.key).map_err(|problem| problems.push(problem)).ok();
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

fn certificates(key: &str, file: &Path, problems: &mut Vec<String>) -> Vec<CertificateDer<'static>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let problem = match read {
        Ok(certificates) if !certificates.is_empty() => return certificates,
        Ok(_) => "has no certificate in it; expected a PEM file with BEGIN CERTIFICATE".to_owned(),
        Err(error) => format!("cannot be read: {error}"),
    };
    problems.push(format!("plc tls.{key} {} {problem}", file.display()));
    Vec::new()
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let shown = file.display();
    let mode = std::fs::metadata(file)
        .map_err(|error| format!("plc tls.key {shown} cannot be read: {error}"))?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "plc tls.key {shown} can be read by others (mode {mode:03o}); run: chmod 600 {shown}"
        ));
    }
    PrivateKeyDer::from_pem_file(file).map_err(|error| {
        format!("plc tls.key {shown} has no private key in it ({error}); expected a PEM file")
    })
}

/// The other end would refuse it; better to hear that here.
fn out_of_date(own: &CertificateDer<'_>, file: &Path) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(own).ok()?; // what cannot be parsed, rustls refuses in its words
    let (validity, file) = (certificate.validity(), file.display());
    let now = x509_parser::time::ASN1Time::now();
    if now > validity.not_after {
        Some(format!("plc tls.certificate {file} has expired on {}; have it renewed", validity.not_after))
    } else if now < validity.not_before {
        let from = validity.not_before;
        Some(format!("plc tls.certificate {file} is valid from {from} only; check this machine's clock"))
    } else {
        None
    }
}
