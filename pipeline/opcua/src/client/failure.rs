//! Why a server could not be used, in a sentence that reads after the server's name, with what to do.

use crate::security::Own;
use opcua::types::{Error, StatusCode};

/// What went wrong, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Nobody listens there.
    Refused,
    /// The host does not exist or cannot be reached.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// It hung up.
    Closed,
    /// A certificate or the security that was asked for: a person must act.
    Security,
    /// The user was not let in.
    Login,
    /// It understood and said no.
    Said,
    /// It sent what no OPC UA server should.
    WrongAnswer,
}

/// Why a server could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{says}")]
pub struct Failure {
    /// What went wrong, by kind.
    pub kind: FailureKind,
    /// Reads after the server's name: `refused the connection`.
    pub says: String,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, says: impl Into<String>) -> Self {
        Self { kind, says: says.into() }
    }

    /// A problem of this station's, found before anything was sent: `cannot be asked: …`.
    pub(crate) fn ours(kind: FailureKind, why: impl std::fmt::Display) -> Self {
        Self::new(kind, format!("cannot be asked: {why}"))
    }

    /// A status while the session was made, when the server's certificate and the endpoint had been found good.
    pub(super) fn of_session(status: StatusCode, own: &Own, user: Option<&str>) -> Self {
        let show = || {
            format!(
                "have {} (thumbprint {}) trusted there, then try again",
                own.certificate_path.display(),
                own.certificate.thumbprint
            )
        };
        let user = user.map_or("anonymous log-in".to_owned(), |user| format!("the log-in of \"{user}\""));
        let name = status.sub_code().name();
        let (kind, says) = match status {
            StatusCode::BadUserAccessDenied
            | StatusCode::BadIdentityTokenRejected
            | StatusCode::BadIdentityTokenInvalid => (
                FailureKind::Login,
                format!(
                    "refused {user} ({name}); check the user and its password or certificate, here and there"
                ),
            ),
            StatusCode::BadUserSignatureInvalid => (
                FailureKind::Login,
                format!("refused {user} ({name}); the key does not belong to the certificate"),
            ),
            StatusCode::BadCertificateUntrusted
            | StatusCode::BadSecurityChecksFailed
            | StatusCode::BadCertificateChainIncomplete => (
                FailureKind::Security,
                format!("does not trust this station's certificate ({name}); {}", show()),
            ),
            StatusCode::BadCertificateUriInvalid
            | StatusCode::BadCertificateUseNotAllowed
            | StatusCode::BadCertificateInvalid
            | StatusCode::BadCertificateHostNameInvalid
            | StatusCode::BadCertificatePolicyCheckFailed => (
                FailureKind::Security,
                format!(
                    "does not like this station's certificate ({name}); `plumb opcua certificate` shows it, with \
                     `--renew` it makes another"
                ),
            ),
            StatusCode::BadCertificateTimeInvalid => (
                FailureKind::Security,
                format!(
                    "says that this station's certificate is not valid now ({name}); compare the two clocks"
                ),
            ),
            StatusCode::BadSecurityPolicyRejected | StatusCode::BadSecurityModeRejected => (
                FailureKind::Security,
                format!("refused the security policy it had offered ({name}); look at its security settings"),
            ),
            // Some servers tell an unknown client nothing at all, so that it learns nothing.
            StatusCode::BadConnectionClosed
            | StatusCode::BadSecureChannelClosed
            | StatusCode::BadConnectionRejected => (
                FailureKind::Closed,
                format!(
                    "hung up during the log-in; some servers do so without a word if they do not trust a certificate: {}",
                    show()
                ),
            ),
            StatusCode::BadTooManySessions | StatusCode::BadTcpNotEnoughResources => (
                FailureKind::Said,
                format!("has no free session ({name}); close one, or permit more in its settings"),
            ),
            status => return Self::of_request(status),
        };
        Self::new(kind, says)
    }

    /// A status of a request in a session that stands.
    pub(super) fn of_request(status: StatusCode) -> Self {
        let name = status.sub_code().name();
        match status {
            StatusCode::BadTimeout | StatusCode::BadRequestTimeout => {
                Self::new(FailureKind::Timeout, format!("did not answer in time ({name})"))
            }
            StatusCode::BadConnectionClosed
            | StatusCode::BadSecureChannelClosed
            | StatusCode::BadSecureChannelIdInvalid
            | StatusCode::BadSessionClosed
            | StatusCode::BadSessionIdInvalid
            | StatusCode::BadNotConnected
            | StatusCode::BadCommunicationError
            | StatusCode::BadServerHalted
            | StatusCode::BadShutdown => {
                Self::new(FailureKind::Closed, format!("closed the connection ({name})"))
            }
            StatusCode::BadDecodingError
            | StatusCode::BadTcpMessageTypeInvalid
            | StatusCode::BadTcpMessageTooLarge
            | StatusCode::BadUnknownResponse
            | StatusCode::BadUnexpectedError
            | StatusCode::BadSequenceNumberInvalid => Self::new(
                FailureKind::WrongAnswer,
                format!("sent what is not OPC UA ({name}); check that it is an OPC UA server"),
            ),
            status => Self::new(
                FailureKind::Said,
                format!("answered {name}: {}", status.sub_code().description().trim().trim_end_matches('.')),
            ),
        }
    }

    pub(super) fn of_error(error: &Error) -> Self {
        Self::of_request(error.status())
    }

    pub(super) fn timeout(did_not: &str, limit: std::time::Duration) -> Self {
        Self::new(FailureKind::Timeout, format!("{did_not} within {} ms", limit.as_millis()))
    }
}
