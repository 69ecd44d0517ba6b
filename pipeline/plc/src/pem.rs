//! PEM files of a TLS end: certificates and their private key, refused in words that name the config's key.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::{os::unix::fs::PermissionsExt as _, path::Path};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _, time::ASN1Time};

/// The certificates in `file`, at least one, in its order. `named` is what the config calls the file.
///
/// # Errors
/// What is wrong with it, for whoever wrote the config.
pub fn certificates(named: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = file.display();
    match CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(format!(
            "{named} {shown} has no certificate in it; expected a PEM file with BEGIN CERTIFICATE"
        )),
        Err(error) => Err(format!("{named} {shown} cannot be read: {error}")),
    }
}

/// The private key in `file`, which nobody else may read.
///
/// # Errors
/// What is wrong with it, for whoever wrote the config.
pub fn private_key(named: &str, file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let shown = file.display();
    let mode = std::fs::metadata(file)
        .map_err(|error| format!("{named} {shown} cannot be read: {error}"))?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "{named} {shown} can be read by others (mode {mode:03o}); run: chmod 600 {shown}"
        ));
    }
    PrivateKeyDer::from_pem_file(file)
        .map_err(|error| format!("{named} {shown} has no private key in it ({error}); expected a PEM file"))
}

/// The other end would refuse it; better to hear that here.
pub fn out_of_date(named: &str, own: &CertificateDer<'_>, file: &Path) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(own).ok()?; // what cannot be parsed, rustls refuses in its words
    let (validity, file, now) = (certificate.validity(), file.display(), ASN1Time::now());
    if now > validity.not_after {
        Some(format!("{named} {file} has expired on {}; have it renewed", validity.not_after))
    } else if now < validity.not_before {
        let from = validity.not_before;
        Some(format!("{named} {file} is valid from {from} only; check this machine's clock"))
    } else {
        None
    }
}
