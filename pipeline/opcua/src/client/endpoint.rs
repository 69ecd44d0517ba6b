//! Which of a server's endpoints is taken, and whether the certificate it shows may be believed. What a server says of
//! itself comes unprotected, so nothing in it can lower what was asked for.

use super::{
    failure::{Failure, FailureKind},
    server::{ClientSecurity, Login, Server},
};
use crate::security::{Certificate, Expect, Pki, Policy};
use jiff::Timestamp;
use opcua::{
    crypto::SecurityPolicy,
    types::{EndpointDescription, MessageSecurityMode, UserTokenType},
};

/// The endpoint to be used, at the address that was asked for, with one token policy fit for `login` left in it.
pub(super) fn choose(
    offered: Vec<EndpointDescription>,
    server: &Server,
) -> Result<EndpointDescription, Failure> {
    let (mode, wanted) = match &server.security {
        ClientSecurity::Encrypted(policies) => {
            let policies = policies.iter().rev().map(|policy| policy.as_opcua()).collect::<Vec<_>>();
            (MessageSecurityMode::SignAndEncrypt, policies)
        }
        ClientSecurity::Open => (MessageSecurityMode::None, vec![SecurityPolicy::None]),
    };
    let over_tcp = |endpoint: &&EndpointDescription| endpoint.endpoint_url.as_ref().starts_with("opc.tcp://");
    let path = path_of(&server.url);
    let found = wanted.iter().find_map(|policy| {
        let fits = |endpoint: &&EndpointDescription| {
            endpoint.security_mode == mode && endpoint.security_policy_uri.as_ref() == policy.to_uri()
        };
        let mut fitting = offered.iter().filter(over_tcp).filter(fits);
        fitting
            .clone()
            .find(|endpoint| path_of(endpoint.endpoint_url.as_ref()) == path)
            .or_else(|| fitting.next())
    });
    let Some(found) = found else { return Err(not_offered(&offered, server)) };
    let mut found = found.clone();
    let (_, address) = server.address().expect("`Server::problems` has looked at it");
    found.endpoint_url = format!("opc.tcp://{address}{}", path_of(found.endpoint_url.as_ref())).into();
    keep_one_token_policy(&mut found, &server.login)?;
    Ok(found)
}

/// With its slash: `/UA/Server`, or nothing.
fn path_of(url: &str) -> &str {
    let rest = url.strip_prefix("opc.tcp://").unwrap_or_default();
    rest.find('/').map_or("", |at| &rest[at..])
}

fn not_offered(offered: &[EndpointDescription], server: &Server) -> Failure {
    let name = |endpoint: &EndpointDescription| {
        let policy = endpoint.security_policy_uri.as_ref();
        let policy = policy.rsplit('#').next().unwrap_or_default();
        format!("{:?} with {}", endpoint.security_mode, policy.escape_default())
    };
    let mut has: Vec<String> = offered.iter().map(name).collect();
    has.sort();
    has.dedup();
    let has = if has.is_empty() { "nothing".to_owned() } else { has.join(", ") };
    let wants = match &server.security {
        ClientSecurity::Encrypted(policies) => {
            let names: Vec<_> = policies.iter().map(|policy| policy.as_str()).collect();
            format!("SignAndEncrypt with {}", names.join(" or "))
        }
        ClientSecurity::Open => "None".to_owned(),
    };
    Failure::new(
        FailureKind::Security,
        format!(
            "offers {has}, but {wants} is asked for; enable it there, or name another policy in `security`"
        ),
    )
}

/// The library takes the first policy of a kind, whatever it is.
fn keep_one_token_policy(endpoint: &mut EndpointDescription, login: &Login) -> Result<(), Failure> {
    let kind = match login {
        Login { name: Some(_), .. } => UserTokenType::UserName,
        Login { certificate: Some(_), .. } => UserTokenType::Certificate,
        _ => UserTokenType::Anonymous,
    };
    let offered = endpoint.user_identity_tokens.take().unwrap_or_default();
    let of_kind: Vec<_> = offered.iter().filter(|policy| policy.token_type == kind).cloned().collect();
    // The channel encrypts already; a token policy on top must be one that still counts, None, or nothing said.
    let none = SecurityPolicy::None.to_uri();
    let sound = |uri: &str| uri.is_empty() || uri == none || Policy::from_uri(uri).is_some();
    let Some(mut policy) = of_kind.iter().find(|policy| sound(policy.security_policy_uri.as_ref())).cloned()
    else {
        let words = |kind| match kind {
            UserTokenType::UserName => "user name and password",
            UserTokenType::Certificate => "certificate",
            UserTokenType::Anonymous => "anonymous",
            UserTokenType::IssuedToken => "issued token",
        };
        let why = match of_kind.is_empty() {
            true => {
                let mut has: Vec<_> = offered.iter().map(|policy| words(policy.token_type)).collect();
                has.dedup();
                format!("does not allow log-in by {} here, only by {}", words(kind), has.join(", "))
            }
            false => format!("allows log-in by {} with withdrawn policies alone", words(kind)),
        };
        return Err(Failure::new(
            FailureKind::Login,
            format!("{why}; change `login`, or the server's settings"),
        ));
    };
    if kind == UserTokenType::Certificate && policy.security_policy_uri.is_empty() {
        policy.security_policy_uri = endpoint.security_policy_uri.clone();
    }
    endpoint.user_identity_tokens = Some(vec![policy]);
    Ok(())
}

/// The server's certificate is one that a person trusts, in its time, for this host and application. If it is not
/// trusted it is kept for a person to look at.
pub(super) fn believe(endpoint: &EndpointDescription, server: &Server, pki: &Pki) -> Result<(), Failure> {
    if server.security == ClientSecurity::Open {
        return Ok(());
    }
    let der = endpoint.server_certificate.value.as_deref().unwrap_or_default();
    let certificate = Certificate::from_der(der).map_err(|error| {
        Failure::new(FailureKind::Security, format!("shows a certificate that is {error}"))
    })?;
    let (host, _) = server.address().expect("`Server::problems` has looked at it");
    let expect = Expect { host: Some(host), application_uri: Some(endpoint.server.application_uri.as_ref()) };
    let mut wrong: Vec<String> =
        certificate.flaws(expect, Timestamp::now()).iter().map(ToString::to_string).collect();
    if !pki.is_trusted(&certificate) {
        let kept = pki.knocked(&certificate).map_err(|error| Failure::ours(FailureKind::Security, error))?;
        let digits = &certificate.thumbprint[..12];
        wrong.insert(
            0,
            format!(
                "is not trusted; compare its thumbprint {} with the one the server shows, then `plumb opcua trust \
                 {digits}` (it is kept as {})",
                certificate.thumbprint,
                kept.display()
            ),
        );
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(
            FailureKind::Security,
            format!("shows a certificate that {}", wrong.join("; and that ")),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opcua::types::UserTokenPolicy;

    fn offered(policy: SecurityPolicy, mode: MessageSecurityMode, url: &str) -> EndpointDescription {
        let token = |token_type, uri: &str| UserTokenPolicy {
            token_type,
            security_policy_uri: uri.into(),
            ..UserTokenPolicy::default()
        };
        let tokens = vec![
            token(UserTokenType::Anonymous, ""),
            token(UserTokenType::UserName, SecurityPolicy::Basic128Rsa15.to_uri()),
            token(UserTokenType::UserName, SecurityPolicy::Basic256Sha256.to_uri()),
        ];
        EndpointDescription {
            endpoint_url: url.into(),
            security_mode: mode,
            security_policy_uri: policy.to_uri().into(),
            user_identity_tokens: Some(tokens),
            ..EndpointDescription::default()
        }
    }

    fn server(login: Login) -> Server {
        Server { url: "opc.tcp://plc-7:4841".into(), security: ClientSecurity::default(), login }
    }

    const ENCRYPT: MessageSecurityMode = MessageSecurityMode::SignAndEncrypt;

    #[test]
    fn the_strongest_policy_that_both_have_is_taken_at_the_address_that_was_asked_for() {
        let all = [SecurityPolicy::None, SecurityPolicy::Basic256Sha256, SecurityPolicy::Aes256Sha256RsaPss];
        let mode = |policy| if policy == SecurityPolicy::None { MessageSecurityMode::None } else { ENCRYPT };
        let all = all.map(|policy| offered(policy, mode(policy), "opc.tcp://inner-name:4840/UA/")).to_vec();
        let chosen = choose(all, &server(Login::default())).unwrap();
        assert_eq!(chosen.security_policy_uri.as_ref(), SecurityPolicy::Aes256Sha256RsaPss.to_uri());
        assert_eq!(chosen.endpoint_url.as_ref(), "opc.tcp://plc-7:4841/UA/");
    }

    #[test]
    fn a_server_that_offers_less_is_refused_and_never_met_halfway() {
        let less = vec![
            offered(SecurityPolicy::None, MessageSecurityMode::None, "opc.tcp://a"),
            offered(SecurityPolicy::Basic256Sha256, MessageSecurityMode::Sign, "opc.tcp://a"),
            offered(SecurityPolicy::Basic256, ENCRYPT, "opc.tcp://a"),
            offered(SecurityPolicy::Aes128Sha256RsaOaep, ENCRYPT, "opc.tcp://a"),
        ];
        let failure = choose(less, &server(Login::default())).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Security);
        for words in
            ["Sign with Basic256Sha256", "None with None", "SignAndEncrypt with Basic256Sha256 or Aes256"]
        {
            assert!(failure.says.contains(words), "{words} is missing in:\n{}", failure.says);
        }
    }

    #[test]
    fn a_password_is_not_encrypted_by_a_withdrawn_policy() {
        let login = Login { name: Some("plumb".into()), password_file: Some("x".into()), ..Login::default() };
        let endpoint = offered(SecurityPolicy::Basic256Sha256, ENCRYPT, "opc.tcp://a");
        let chosen = choose(vec![endpoint.clone()], &server(login.clone())).unwrap();
        let token = &chosen.user_identity_tokens.unwrap()[0];
        assert_eq!(token.security_policy_uri.as_ref(), SecurityPolicy::Basic256Sha256.to_uri());

        let mut withdrawn = endpoint;
        withdrawn.user_identity_tokens.as_mut().unwrap().pop();
        assert!(choose(vec![withdrawn], &server(login)).unwrap_err().says.contains("withdrawn"));
    }

    #[test]
    fn a_kind_of_log_in_that_is_not_offered_is_told_with_those_that_are() {
        let login = Login { certificate: Some("a".into()), key: Some("b".into()), ..Login::default() };
        let endpoint = offered(SecurityPolicy::Basic256Sha256, ENCRYPT, "opc.tcp://a");
        let says = choose(vec![endpoint], &server(login)).unwrap_err().says;
        assert!(
            says.contains("by certificate") && says.contains("anonymous, user name and password"),
            "{says}"
        );
    }
}
