//! One X.509 certificate: whose it is, how long it is good for, and what is wrong with it, in words.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use opcua::crypto::{CertificateStore, X509};
use std::{
    fmt, fs, io,
    net::{Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
};
use x509_parser::{extensions::GeneralName, prelude::FromDer};

/// Bits of an RSA key that all three policies take (OPC UA Part 7).
const KEY_BITS: std::ops::RangeInclusive<usize> = 2_048..=4_096;

/// A certificate's file that is longer is none.
const LONGEST_FILE: u64 = 64 * 1_024;

/// How long before its end a certificate is said to end.
const SOON: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A certificate, read.
#[derive(Clone, Debug)]
pub struct Certificate {
    x509: X509,
    /// SHA-1 of the DER bytes, 40 lower-case hexadecimal digits; what OPC UA calls a certificate by.
    pub thumbprint: String,
    /// Common name of its subject, where it has one.
    pub common_name: Option<String>,
    /// The first URI among its subject alternative names: the application's.
    pub application_uri: Option<String>,
    /// DNS names and IP addresses it is good for, as text.
    pub hosts: Vec<String>,
    /// From when.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// Length of its RSA key; `None` where the key is none.
    pub key_bits: Option<usize>,
    uri_is_first: bool,
}

/// Who a certificate should be of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expect<'a> {
    /// The host that was asked for.
    pub host: Option<&'a str>,
    /// The application URI that the other side says it has.
    pub application_uri: Option<&'a str>,
}

impl Certificate {
    /// Reads DER bytes.
    ///
    /// # Errors
    /// They are no certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let (rest, parsed) = x509_parser::certificate::X509Certificate::from_der(der)
            .map_err(|error| CertificateError::NotOne { why: error.to_string() })?;
        if !rest.is_empty() {
            // A chain: OPC UA allows leaf and issuers in a row, async-opcua takes the leaf alone.
            let why = format!(
                "{} bytes follow the certificate; a chain is not supported, only the leaf",
                rest.len()
            );
            return Err(CertificateError::NotOne { why });
        }
        let x509 =
            X509::from_der(der).map_err(|error| CertificateError::NotOne { why: error.to_string() })?;
        let names = parsed.subject_alternative_name().ok().flatten();
        let names = names.as_ref().map_or(&[][..], |names| &names.value.general_names);
        let uri = |name: &GeneralName<'_>| match name {
            GeneralName::URI(uri) => Some((*uri).to_owned()),
            _ => None,
        };
        let instant = |seconds| Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        let common_name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        Ok(Self {
            thumbprint: x509.thumbprint().as_hex_string().to_lowercase(),
            common_name: common_name.map(str::to_owned),
            application_uri: names.iter().find_map(uri),
            uri_is_first: names.first().is_some_and(|name| uri(name).is_some()),
            hosts: names.iter().filter_map(host).collect(),
            not_before: instant(parsed.validity().not_before.timestamp()),
            not_after: instant(parsed.validity().not_after.timestamp()),
            key_bits: x509.key_length().ok(),
            x509,
        })
    }

    /// Reads a file: DER (`.der`, `.cer`, `.crt`) or PEM, told by its content.
    ///
    /// # Errors
    /// It cannot be read, or is no certificate.
    pub fn read(path: &Path) -> Result<Self, CertificateError> {
        let unreadable = |source| CertificateError::Read { path: path.to_owned(), source };
        let length = fs::metadata(path).map_err(unreadable)?.len();
        if length > LONGEST_FILE {
            let why = format!("it has {length} bytes; a certificate has a few thousand");
            return Err(CertificateError::NotOne { why }.of(path));
        }
        let bytes = fs::read(path).map_err(unreadable)?;
        if !bytes.starts_with(b"-----BEGIN") {
            return Self::from_der(&bytes).map_err(|error| error.of(path));
        }
        let (_, pem) = x509_parser::pem::parse_x509_pem(&bytes)
            .map_err(|error| CertificateError::NotOne { why: error.to_string() }.of(path))?;
        if pem.label != "CERTIFICATE" {
            let why = format!("it holds a {}; expected a CERTIFICATE", pem.label);
            return Err(CertificateError::NotOne { why }.of(path));
        }
        Self::from_der(&pem.contents).map_err(|error| error.of(path))
    }

    /// The DER bytes.
    pub fn der(&self) -> Vec<u8> {
        self.x509.as_byte_string().value.unwrap_or_default()
    }

    /// The name that the certificate's file must have in `trusted/` to be found there.
    pub fn file_name(&self) -> String {
        CertificateStore::cert_file_name(&self.x509)
    }

    /// Everything that is wrong with it at `now`, beside whether it is trusted.
    pub fn flaws(&self, expect: Expect<'_>, now: Timestamp) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if now < self.not_before {
            flaws.push(Flaw::NotYetValid { from: self.not_before, now });
        }
        if now > self.not_after {
            flaws.push(Flaw::Expired { since: self.not_after });
        }
        match self.key_bits {
            Some(bits) if KEY_BITS.contains(&bits) => {}
            bits => flaws.push(Flaw::Key { bits }),
        }
        match (&self.application_uri, expect.application_uri) {
            (None, _) => flaws.push(Flaw::NoUri),
            (Some(_), _) if !self.uri_is_first => flaws.push(Flaw::UriNotFirst),
            (Some(has), Some(says)) if has != says => {
                flaws.push(Flaw::WrongUri { says: says.to_owned(), has: has.clone() });
            }
            _ => {}
        }
        if let Some(host) = expect.host
            && !self.hosts.iter().any(|name| name.eq_ignore_ascii_case(host))
        {
            flaws.push(Flaw::WrongHost { host: host.to_owned(), hosts: self.hosts.clone() });
        }
        flaws
    }

    /// How long it is still good at `now`.
    pub fn expiry(&self, now: Timestamp) -> Expiry {
        Expiry { not_before: self.not_before, not_after: self.not_after, now }
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.common_name.as_deref().unwrap_or("without a name");
        let uri = self.application_uri.as_deref().unwrap_or("no application URI");
        // Foreign bytes on a terminal: whatever could steer it is shown as what it is.
        let shown = format!("{name} ({uri})").escape_default().to_string();
        write!(f, "{shown}, thumbprint {}", self.thumbprint)
    }
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
            .map(|v4| Ipv4Addr::from(v4).to_string())
            .or_else(|_| <[u8; 16]>::try_from(*bytes).map(|v6| Ipv6Addr::from(v6).to_string()))
            .ok(),
        _ => None,
    }
}

/// What is wrong with a certificate, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Its time is over.
    #[error("expired on {}; make a new one and have it trusted", date(*since))]
    Expired {
        /// When.
        since: Timestamp,
    },
    /// Its time has not come, or a clock is wrong.
    #[error(
        "is valid from {} on and it is {} here; set the clock that is wrong",
        minute(*from),
        minute(*now)
    )]
    NotYetValid {
        /// From when it is valid.
        from: Timestamp,
        /// What this machine's clock says.
        now: Timestamp,
    },
    /// It names other hosts than the one asked for.
    #[error(
        "is not for host \"{host}\" but for {}; connect by one of these names, or make a certificate that names it",
        list(hosts)
    )]
    WrongHost {
        /// Asked for.
        host: String,
        /// Named by it.
        hosts: Vec<String>,
    },
    /// It belongs to another application.
    #[error(
        "is for application \"{has}\", but the application says it is \"{says}\"; one of the two is wrong there"
    )]
    WrongUri {
        /// Said.
        says: String,
        /// In the certificate.
        has: String,
    },
    /// OPC UA wants an application URI in it.
    #[error("names no application URI; make one with the application's URI as a subject alternative name")]
    NoUri,
    /// The URI must be the first alternative name (a rule of the library's, kept so that both agree).
    #[error(
        "does not name its application URI first; make one whose first subject alternative name is the URI"
    )]
    UriNotFirst,
    /// Its key is no RSA key of the permitted length.
    #[error(
        "has {}; the security policies take RSA keys of {} to {} bits, so make one with 2048",
        key(*bits),
        KEY_BITS.start(),
        KEY_BITS.end()
    )]
    Key {
        /// How long the RSA key is, if it is one.
        bits: Option<usize>,
    },
}

fn key(bits: Option<usize>) -> String {
    bits.map_or("no RSA key".to_owned(), |bits| format!("an RSA key of {bits} bits"))
}

fn list(hosts: &[String]) -> String {
    match hosts {
        [] => "no host at all".to_owned(),
        hosts => {
            hosts.iter().map(|host| format!("\"{}\"", host.escape_default())).collect::<Vec<_>>().join(", ")
        }
    }
}

/// `2027-01-06`, UTC.
fn date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

fn minute(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// How long a certificate is good for; as a sentence: `expires in 43 days, on 2027-01-06`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    not_before: Timestamp,
    not_after: Timestamp,
    now: Timestamp,
}

impl Expiry {
    /// Days left, rounded down; negative when it is over.
    pub fn days(&self) -> i64 {
        self.not_after.duration_since(self.now).as_hours().div_euclid(24)
    }

    /// It is good now, and for more than 90 days.
    pub fn is_far(&self) -> bool {
        self.now >= self.not_before && self.not_after.duration_since(self.now) > SOON
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, date) = (self.days(), date(self.not_after));
        match days {
            _ if self.now < self.not_before => write!(f, "not valid before {}", minute(self.not_before)),
            ..0 => write!(f, "expired on {date}"),
            0 => write!(f, "expires today, {}", minute(self.not_after)),
            1 => write!(f, "expires tomorrow, on {date}"),
            _ => write!(f, "expires in {days} days, on {date}"),
        }
    }
}

/// A file or bytes that are no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// No file to be read.
    #[error("cannot read certificate {} ({source})", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are something else.
    #[error("no X.509 certificate ({why}); expected one in DER or PEM")]
    NotOne {
        /// What was wrong with them.
        why: String,
    },
    /// A file's bytes are something else.
    #[error("{} is no X.509 certificate ({why}); expected one in DER or PEM", path.display())]
    NoneInFile {
        /// Which.
        path: PathBuf,
        /// What was wrong with it.
        why: String,
    },
}

impl CertificateError {
    fn of(self, path: &Path) -> Self {
        match self {
            Self::NotOne { why } => Self::NoneInFile { path: path.to_owned(), why },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_told_in_days() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let says = |not_after: &str| {
            let not_after = not_after.parse().unwrap();
            Expiry { not_before: Timestamp::UNIX_EPOCH, not_after, now }.to_string()
        };
        assert_eq!(says("2027-01-06T12:00:00Z"), "expires in 43 days, on 2027-01-06");
        assert_eq!(says("2026-11-25T13:00:00Z"), "expires tomorrow, on 2026-11-25");
        assert_eq!(says("2026-11-24T18:30:00Z"), "expires today, 2026-11-24 18:30 UTC");
        assert_eq!(says("2026-11-23T12:00:00Z"), "expired on 2026-11-23");
    }

    #[test]
    fn what_is_no_certificate_is_refused_whatever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.der");
        for bytes in [
            &b""[..],
            b"\x30\x82",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &[0x30; 4_000],
        ] {
            fs::write(&path, bytes).unwrap();
            let error = Certificate::read(&path).unwrap_err().to_string();
            assert!(error.contains("x.der") && error.contains("DER or PEM"), "{error}");
        }
        fs::write(&path, vec![0; 100_000]).unwrap();
        assert!(Certificate::read(&path).unwrap_err().to_string().contains("100000 bytes"));
    }
}
