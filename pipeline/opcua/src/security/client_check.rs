//! Whether a client is the application that its certificate is for. async-opcua's server does not ask.

use super::certificate::{Certificate, Expect};
use jiff::Timestamp;
use opcua::{
    server::node_manager::RequestContext,
    types::{MessageSecurityMode, StatusCode},
};

/// To be asked by every callback that tells or does something: the application URI that the client gave must be
/// its certificate's, and the certificate still be in its time (a session may outlive it).
///
/// Costs some microseconds. A session without security has no certificate, and none is asked of it.
///
/// # Errors
/// `BadCertificateUriInvalid`, `BadCertificateTimeInvalid` or `BadCertificateInvalid`, to be given to the client.
pub fn certificate_is_of_client(context: &RequestContext) -> Result<(), StatusCode> {
    let session = context.session.read();
    if session.message_security_mode() == MessageSecurityMode::None {
        return Ok(()); // only a server whose config says so has such sessions
    }
    let certificate = session.client_certificate().ok_or(StatusCode::BadCertificateInvalid)?;
    let says = session.application_description().application_uri.as_ref();
    certificate.is_application_uri_valid(says).map_err(|_| {
        log(certificate, says);
        StatusCode::BadCertificateUriInvalid
    })?;
    let now = Timestamp::now().as_second();
    let within = |at: Result<i64, ()>, is: fn(i64, i64) -> bool| at.is_ok_and(|at| is(at, now));
    let begun = within(certificate.not_before().map(|at| at.timestamp()).map_err(drop), |at, now| at <= now);
    let lasts = within(certificate.not_after().map(|at| at.timestamp()).map_err(drop), |at, now| at >= now);
    if begun && lasts { Ok(()) } else { Err(StatusCode::BadCertificateTimeInvalid) }
}

fn log(certificate: &opcua::crypto::X509, says: &str) {
    let Ok(certificate) = Certificate::from_der(&certificate.as_byte_string().value.unwrap_or_default())
    else {
        return;
    };
    let flaws =
        certificate.flaws(Expect { application_uri: Some(says), ..Expect::default() }, Timestamp::now());
    let flaws = flaws.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    tracing::warn!(client = %certificate, flaws, "An OPC UA client is not whom its certificate is for; it was refused.");
}
