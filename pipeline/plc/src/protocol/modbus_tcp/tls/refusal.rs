//! Why two ends did not agree on TLS, for the person who can mend it. Each sentence reads after a name: "PLC 10.0.4.7:802".

use crate::{LinkFaultKind, protocol::cyclic::Fault};
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};
use std::io;

/// What TLS itself found wrong, if it was that.
pub(crate) fn fault(error: &io::Error) -> Option<Fault> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some((LinkFaultKind::Untrusted, refusal(error)))
}

/// The sentence.
pub(crate) fn refusal(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => shown_certificate(error),
        Error::NoCertificatesPresented => {
            "shows no certificate; Modbus/TCP Security wants one of both ends: load one that plc.tls.ca has issued \
             into it"
                .to_owned()
        }
        Error::AlertReceived(alert) => told(*alert),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::SupportedVersionsExtensionRequired,
        ) => too_old(),
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => {
            "does not speak TLS; is it plain Modbus (port 502)? Then leave plc.tls out, or switch its security on".to_owned()
        }
        error => format!("cannot agree on TLS ({error})"),
    }
}

/// What is wrong with the certificate the other end shows.
fn shown_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "shows a certificate that has expired; have it renewed, and check both clocks".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "shows a certificate that is not valid yet; check both clocks".to_owned()
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "shows a certificate that nobody in plc.tls.ca has issued; is it the right device? Then add its authority \
             there"
                .to_owned()
        }
        CertificateError::NotValidForName => {
            "shows a certificate for another name; set plc.tls.server_name to the one in it".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "shows a certificate for another name than \"{}\" (it has {}); is it the right device? Then set \
             plc.tls.server_name, or have the certificate issued for that name",
            expected.to_str(),
            if presented.is_empty() { "none".to_owned() } else { presented.join(", ") },
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "shows a certificate that is not meant for this end of a connection; it needs extended key usage \
             serverAuth in a server, clientAuth in a client"
                .to_owned()
        }
        error => format!("shows a certificate that is not good ({error})"),
    }
}

/// What the other end says of our certificate.
fn told(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => {
            "does not trust the certificate it is shown: load the authority that issued plc.tls.certificate into it"
                .to_owned()
        }
        AlertDescription::CertificateExpired => {
            "says that the certificate it is shown has expired; renew plc.tls.certificate, and check both clocks"
                .to_owned()
        }
        AlertDescription::CertificateRequired => {
            "wants a certificate and got none; set plc.tls.certificate and plc.tls.key".to_owned()
        }
        AlertDescription::AccessDenied | AlertDescription::UnsupportedCertificate => format!(
            "does not let this certificate in ({alert:?}); check the role and key usage of plc.tls.certificate"
        ),
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => too_old(),
        alert => format!("broke TLS off ({alert:?}); its own log says more"),
    }
}

fn too_old() -> String {
    "knows no TLS 1.2 or 1.3 with today's ciphers; update its firmware".to_owned()
}
