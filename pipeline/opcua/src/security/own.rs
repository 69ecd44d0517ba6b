//! The station's own certificate and key: self-signed, as OPC UA expects, and the key readable by its owner alone.

use super::{
    certificate::Certificate,
    pki::{PkiError, io_error},
};
use jiff::{Timestamp, ToSpan, Zoned, tz::TimeZone};
use opcua::crypto::PrivateKey;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
    date_time_ymd,
};
use std::{
    fs,
    io::Write,
    net::IpAddr,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use x509_parser::prelude::FromDer;

/// A certificate with its private key.
#[derive(Clone, Debug)]
pub struct Own {
    /// What the other side is shown, and its person trusts.
    pub certificate: Certificate,
    /// Where it lies: `own/cert.der`.
    pub certificate_path: PathBuf,
    /// Where its key lies, mode 0600: `own/key.pem`.
    pub key_path: PathBuf,
}

/// What a new certificate should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Common name, as a person sees it in the PLC's list: `Plumb station-3`.
    pub name: String,
    /// Unique in the plant: `urn:station-3:plumb`.
    pub application_uri: String,
    /// DNS names and IP addresses by which clients reach this machine.
    pub hosts: Vec<String>,
    /// How long it is good for. Whoever trusts it must do so again with the next one.
    pub years: u8,
}

impl Wish {
    /// This machine as it names itself, its loopback addresses, and five years.
    pub fn of_this_machine() -> Self {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = host.trim().to_lowercase();
        let host = if host.is_empty() { "localhost".to_owned() } else { host };
        let mut hosts = vec![host.clone(), "localhost".into(), "127.0.0.1".into(), "::1".into()];
        hosts.dedup();
        Self { name: format!("Plumb {host}"), application_uri: format!("urn:{host}:plumb"), hosts, years: 5 }
    }

    /// Every problem, as sentences.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.name.trim().is_empty() || self.name.len() > 64 {
            problems.push(format!("certificate name \"{}\" must have 1 to 64 characters", self.name));
        }
        let uri = &self.application_uri;
        let known_scheme = ["urn:", "http://", "https://"].iter().any(|scheme| uri.starts_with(scheme));
        if !known_scheme || !uri.is_ascii() || uri.contains(char::is_whitespace) {
            problems.push(format!("application URI \"{uri}\" must be a URI such as \"urn:station-3:plumb\""));
        }
        if !(1..=20).contains(&self.years) {
            problems.push(format!("a certificate for {} years; expected 1 to 20", self.years));
        }
        let odd = |host: &&String| {
            host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c))
        };
        for host in self.hosts.iter().filter(odd) {
            problems.push(format!("host \"{host}\" is neither a DNS name nor an IP address"));
        }
        problems
    }
}

impl Own {
    /// The pair in `folder`; `None` if neither file is there.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, PkiError> {
        let (certificate_path, key_path) = paths(folder);
        match (certificate_path.exists(), key_path.exists()) {
            (false, false) => return Ok(None),
            (true, true) => {}
            (certificate, _) => {
                let (there, missing) =
                    if certificate { (certificate_path, key_path) } else { (key_path, certificate_path) };
                return Err(PkiError::Half { there, missing });
            }
        }
        let mode = fs::metadata(&key_path).map_err(io_error(&key_path))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(PkiError::KeyIsReadable { path: key_path, mode });
        }
        let certificate = Certificate::read(&certificate_path)?;
        let pem = fs::read_to_string(&key_path).map_err(io_error(&key_path))?;
        let key = KeyPair::from_pem(&pem)
            .map_err(|error| PkiError::NoKey { path: key_path.clone(), why: error.to_string() })?;
        if !belongs(&key, &certificate) {
            return Err(PkiError::OtherKey { certificate: certificate_path, key: key_path });
        }
        Ok(Some(Self { certificate, certificate_path, key_path }))
    }

    /// Makes a pair and puts it into `folder` in place of any other. Takes a second: an RSA key is found by trying.
    pub(super) fn make(folder: &Path, wish: &Wish) -> Result<Self, PkiError> {
        let problems = wish.problems();
        if !problems.is_empty() {
            return Err(PkiError::Wish { problems });
        }
        let cannot = |why: String| PkiError::Make { why };
        let key = PrivateKey::new(2_048).map_err(|error| cannot(error.to_string()))?;
        let key = key.to_der().map_err(|error| cannot(error.to_string()))?;
        let key = KeyPair::try_from(key.as_bytes()).map_err(|error| cannot(error.to_string()))?;
        let signed = params(wish).and_then(|params| params.self_signed(&key));
        let signed = signed.map_err(|error| cannot(error.to_string()))?;

        let (certificate_path, key_path) = paths(folder);
        // The certificate goes first: a key without one would be taken for half a pair, not for a valid one.
        let _ = fs::remove_file(&certificate_path);
        write(&key_path, key.serialize_pem().as_bytes(), 0o600)?;
        write(&certificate_path, signed.der(), 0o644)?;
        Ok(Self { certificate: Certificate::from_der(signed.der())?, certificate_path, key_path })
    }
}

fn paths(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.join("cert.der"), folder.join("key.pem"))
}

/// OPC UA Part 6, table 42: what an application instance certificate must say. The URI goes first, for async-opcua.
fn params(wish: &Wish) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, wish.name.as_str());
    params.distinguished_name.push(DnType::OrganizationName, "Plumb");
    params.subject_alt_names = vec![SanType::URI(wish.application_uri.as_str().try_into()?)];
    let (addresses, names): (Vec<_>, Vec<_>) =
        wish.hosts.iter().partition(|host| host.parse::<IpAddr>().is_ok());
    for name in names {
        params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
    }
    params
        .subject_alt_names
        .extend(addresses.iter().filter_map(|host| host.parse().ok()).map(SanType::IpAddress));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::ContentCommitment, // "nonRepudiation" before 2005
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::DataEncipherment,
    ];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    // From midnight: a PLC whose clock is some hours late must be able to take it at once.
    let today = Timestamp::now().to_zoned(TimeZone::UTC);
    let day =
        |at: &Zoned| date_time_ymd(at.year().into(), at.month().unsigned_abs(), at.day().unsigned_abs());
    params.not_before = day(&today);
    params.not_after = day(&today.saturating_add(i64::from(wish.years).years()));
    Ok(params)
}

fn belongs(key: &KeyPair, certificate: &Certificate) -> bool {
    let der = certificate.der();
    let parsed = x509_parser::certificate::X509Certificate::from_der(&der);
    parsed.is_ok_and(|(_, parsed)| {
        parsed.public_key().raw == rcgen::PublicKeyData::subject_public_key_info(key)
    })
}

/// Whole or not at all, and never for a moment with a wider mode.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), PkiError> {
    let half = path.with_extension("half");
    let _ = fs::remove_file(&half);
    let written =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&half).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
    written.and_then(|()| fs::rename(&half, path)).map_err(io_error(path))
}
