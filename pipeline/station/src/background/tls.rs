//! The console's certificate: the plant's, or one of the station's own that is made once and kept.

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use plumb_console::ConsoleTls;
use plumb_plc::pem;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use sha2::{Digest as _, Sha256};
use std::{fs, io, net::SocketAddr, os::unix::fs::OpenOptionsExt as _, path::Path, sync::Arc};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

/// What the config calls the two files.
const CERTIFICATE: &str = "[console.tls] certificate";
const KEY: &str = "[console.tls] key";

/// A certificate of the station's own is good for so long, and made anew when so little is left.
const YEARS: i64 = 5;
const DAYS_LEFT_MIN: i64 = 30;

/// What the server needs, and what people compare.
pub(super) struct Identity {
    pub(super) config: Arc<ServerConfig>,
    /// SHA-256 of the certificate, as browsers show it: `AB:CD:…`.
    pub(super) fingerprint: String,
}

/// Everything that is wrong with the files that the config names.
pub(crate) fn file_problems(tls: &ConsoleTls) -> Vec<String> {
    let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) else { return Vec::new() };
    let mut problems = Vec::new();
    let chain = pem::certificates(CERTIFICATE, certificate).map_err(|says| problems.push(says)).ok();
    let key = pem::private_key(KEY, key).map_err(|says| problems.push(says)).ok();
    problems
        .extend(chain.as_ref().and_then(|chain| pem::out_of_date(CERTIFICATE, chain.first()?, certificate)));
    if let (Some(chain), Some(key)) = (chain, key)
        && let Err(says) = server(chain, key)
    {
        problems.push(says);
    }
    problems
}

/// Reads the plant's certificate, or finds or makes the station's own below `data`.
pub(super) fn identity(tls: &ConsoleTls, data: &Path, listen: SocketAddr) -> io::Result<Identity> {
    let own = data.join("console-tls");
    let (certificate, key) = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
        _ => {
            let (certificate, key) = (own.join("certificate.pem"), own.join("key.pem"));
            let names = names(tls, listen);
            if !is_good(&certificate, &key, &names) {
                make(&own, &certificate, &key, names).map_err(|error| {
                    io::Error::other(format!("no certificate can be made in {}: {error}", own.display()))
                })?;
            }
            (certificate, key)
        }
    };
    let chain = pem::certificates(CERTIFICATE, &certificate).map_err(io::Error::other)?;
    let shown: Vec<String> = match chain.first() {
        Some(first) => Sha256::digest(first).iter().map(|byte| format!("{byte:02X}")).collect(),
        None => Vec::new(),
    };
    let key = pem::private_key(KEY, &key).map_err(io::Error::other)?;
    let config = Arc::new(server(chain, key).map_err(io::Error::other)?);
    Ok(Identity { config, fingerprint: shown.join(":") })
}

fn server(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, String> {
    let versions = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS is not to be had: {error}"))?;
    let mut config = versions.with_no_client_auth().with_single_cert(chain, key).map_err(|error| {
        format!(
            "[console.tls] certificate and key do not go together ({error}); name the key it was issued for"
        )
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// What people may type: what the config says, this machine's name, the address that is listened on, and this machine itself.
fn names(tls: &ConsoleTls, listen: SocketAddr) -> Vec<String> {
    let mut names = tls.names.clone();
    names.extend(rustix::system::uname().nodename().to_str().ok().map(str::to_owned));
    if !listen.ip().is_unspecified() {
        names.push(listen.ip().to_string());
    }
    names.extend(["localhost", "127.0.0.1"].map(str::to_owned));
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether there is a pair that goes together, covers `names` and lasts.
fn is_good(certificate: &Path, key: &Path, names: &[String]) -> bool {
    let read = (pem::certificates(CERTIFICATE, certificate), pem::private_key(KEY, key));
    let (Ok(chain), Ok(key)) = read else { return false };
    let lasts = chain.first().is_some_and(|own| {
        X509Certificate::from_der(own).is_ok_and(|(_, own)| {
            let covered: Vec<String> = match own.subject_alternative_name() {
                Ok(Some(all)) => all.value.general_names.iter().filter_map(typed).collect(),
                _ => Vec::new(),
            };
            let left = own.validity().time_to_expiration().map_or(0, |left| left.whole_days());
            left >= DAYS_LEFT_MIN && names.iter().all(|name| covered.contains(name))
        })
    });
    lasts && server(chain, key).is_ok()
}

/// A subject's alternative name as people type it.
fn typed(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv4Addr::from(bytes).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
            _ => None,
        },
        _ => None,
    }
}

fn make(folder: &Path, certificate: &Path, key: &Path, names: Vec<String>) -> Result<(), String> {
    let cannot = |error: rcgen::Error| error.to_string();
    let pair = KeyPair::generate().map_err(cannot)?;
    let mut params = CertificateParams::new(names).map_err(cannot)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Plumb console");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let today = Timestamp::now().to_zoned(TimeZone::UTC);
    let day = |at: &jiff::Zoned| {
        rcgen::date_time_ymd(at.year().into(), at.month().unsigned_abs(), at.day().unsigned_abs())
    };
    params.not_before = day(&today);
    params.not_after = day(&today.saturating_add(YEARS.years()));
    let signed = params.self_signed(&pair).map_err(cannot)?;
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    // The certificate goes first: half a pair is made anew.
    let _ = fs::remove_file(certificate);
    write(key, pair.serialize_pem().as_bytes(), 0o600).map_err(|error| error.to_string())?;
    write(certificate, signed.pem().as_bytes(), 0o644).map_err(|error| error.to_string())
}

/// Whole or not at all, and never for a moment with a wider mode.
fn write(file: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let half = file.with_extension("half");
    let _ = fs::remove_file(&half);
    let mut written = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&half)?;
    io::Write::write_all(&mut written, bytes)?;
    written.sync_all()?;
    fs::rename(&half, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn listen() -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 7], 8443))
    }

    #[test]
    fn the_stations_own_certificate_is_made_once_and_anew_for_another_name() {
        let data = tempfile::tempdir().expect("a folder");
        let tls = ConsoleTls { names: vec!["station-7.plant".into()], ..ConsoleTls::default() };
        let first = identity(&tls, data.path(), listen()).expect("made").fingerprint;
        assert_eq!(first.len(), 32 * 3 - 1, "{first}");
        assert_eq!(identity(&tls, data.path(), listen()).expect("kept").fingerprint, first);
        let key = data.path().join("console-tls/key.pem");
        assert_eq!(fs::metadata(&key).expect("there").permissions().mode() & 0o777, 0o600);
        let other = ConsoleTls { names: vec!["station-8.plant".into()], ..ConsoleTls::default() };
        let second = identity(&other, data.path(), listen()).expect("made anew").fingerprint;
        assert_ne!(second, first);
        fs::remove_file(key).expect("half a pair");
        assert_ne!(identity(&other, data.path(), listen()).expect("made anew").fingerprint, second);
    }

    #[test]
    fn everything_wrong_with_the_plants_files_is_told_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        fs::write(&certificate, "nothing\n").expect("written");
        fs::write(&key, "nothing\n").expect("written");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("set");
        let tls =
            ConsoleTls { certificate: Some(certificate.clone()), key: Some(key.clone()), names: vec![] };
        let problems = file_problems(&tls);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(
            problems[0].contains("no certificate in it") && problems[1].contains("chmod 600"),
            "{problems:?}"
        );

        let own = |name: &str| {
            let tls = ConsoleTls { names: vec![name.into()], ..ConsoleTls::default() };
            identity(&tls, &folder.path().join(name), listen()).expect("made");
            folder.path().join(name).join("console-tls")
        };
        let (one, other) = (own("one"), own("other"));
        let tls = |key: &Path| ConsoleTls {
            certificate: Some(one.join("certificate.pem")),
            key: Some(key.join("key.pem")),
            names: vec![],
        };
        assert_eq!(file_problems(&tls(&one)), [""; 0]);
        assert!(file_problems(&tls(&other))[0].contains("do not go together"));
    }
}
