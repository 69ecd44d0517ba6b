//! The folder of certificates, as a person meets it: what is made, who is trusted, what is refused and why.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

use jiff::{Timestamp, ToSpan};
use plumb_opcua::security::{Certificate, Expect, Own, Pki, Wish};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use x509_parser::prelude::FromDer;

fn wish(name: &str) -> Wish {
    let hosts = ["station-3", "localhost", "10.0.4.20", "::1"].map(str::to_owned).to_vec();
    Wish { name: name.into(), application_uri: format!("urn:station-3:{name}"), hosts, years: 5 }
}

/// A folder of certificates of its own, with its certificate made.
fn station(folder: &Path, name: &str) -> (Pki, Own) {
    let pki = Pki::open(folder.join(name)).unwrap();
    let own = pki.own_or_new(&wish(name)).unwrap();
    (pki, own)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn files(folder: PathBuf) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn the_stations_certificate_says_all_that_opc_ua_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let (_, own) = station(folder.path(), "plumb");
    let der = own.certificate.der();
    let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(&der).unwrap();

    assert_eq!(own.certificate.application_uri.as_deref(), Some("urn:station-3:plumb"));
    assert_eq!(own.certificate.hosts, ["station-3", "localhost", "10.0.4.20", "::1"]);
    assert_eq!(own.certificate.key_bits, Some(2_048));
    assert!(
        !parsed.is_ca() && parsed.basic_constraints().unwrap().unwrap().value.path_len_constraint.is_none()
    );
    let usage = parsed.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && usage.non_repudiation());
    assert!(usage.key_encipherment() && usage.data_encipherment() && !usage.key_cert_sign());
    let purpose = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(purpose.client_auth && purpose.server_auth);
    assert!(parsed.raw_serial().len() >= 8, "a serial of its own: {:?}", parsed.raw_serial());

    let for_us = Expect { host: Some("10.0.4.20"), application_uri: Some("urn:station-3:plumb") };
    assert_eq!(own.certificate.flaws(for_us, Timestamp::now()), []);
}

#[test]
fn the_key_is_readable_by_its_owner_alone_or_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let (pki, own) = station(folder.path(), "plumb");
    assert_eq!(mode(&own.key_path), 0o600);
    assert_eq!(mode(own.key_path.parent().unwrap()), 0o700);

    fs::set_permissions(&own.key_path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = pki.own().unwrap_err().to_string();
    assert!(error.contains("0640") && error.contains("key.pem") && error.contains("--renew"), "{error}");
}

#[test]
fn a_key_of_another_certificate_and_half_a_pair_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let ((pki, own), (_, other)) = (station(folder.path(), "plumb"), station(folder.path(), "other"));
    fs::copy(&other.key_path, &own.key_path).unwrap();
    assert!(pki.own().unwrap_err().to_string().contains("is not the key of"));
    fs::remove_file(&own.key_path).unwrap();
    assert!(pki.own().unwrap_err().to_string().contains("key.pem is missing"));
    fs::write(&own.key_path, "x").unwrap();
    fs::set_permissions(&own.key_path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(pki.own().unwrap_err().to_string().contains("no private key"));
}

#[test]
fn a_new_certificate_takes_the_place_of_the_old_one_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let (pki, first) = station(folder.path(), "plumb");
    let again = pki.own_or_new(&wish("other")).unwrap();
    assert_eq!(again.certificate.thumbprint, first.certificate.thumbprint, "it is made once");
    let second = pki.renew(&wish("plumb")).unwrap();
    assert_ne!(second.certificate.thumbprint, first.certificate.thumbprint);
    assert_eq!(pki.own().unwrap().unwrap().certificate.thumbprint, second.certificate.thumbprint);
}

#[test]
fn a_wish_that_no_certificate_can_say_is_refused_with_all_its_problems() {
    let mut wish = wish("plumb");
    (wish.name, wish.application_uri, wish.years) = (String::new(), "station 3".into(), 0);
    wish.hosts.push("a host".into());
    let problems = wish.problems().join("\n");
    for word in ["name", "URI", "0 years", "\"a host\""] {
        assert!(problems.contains(word), "{word} is missing in:\n{problems}");
    }
    assert_eq!(Wish::of_this_machine().problems(), Vec::<String>::new());
}

#[test]
fn nobody_is_trusted_until_a_person_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let ((pki, _), (_, plc)) = (station(folder.path(), "plumb"), station(folder.path(), "plc"));
    let plc = plc.certificate;
    assert!(!pki.is_trusted(&plc));
    pki.knocked(&plc).unwrap();
    assert!(!pki.is_trusted(&plc) && pki.rejected().unwrap().len() == 1);

    let digits = plc.thumbprint[..12].to_uppercase();
    assert_eq!(pki.trust(&digits).unwrap().thumbprint, plc.thumbprint);
    assert!(
        pki.is_trusted(&plc) && pki.rejected().unwrap().is_empty(),
        "what stays rejected would be refused"
    );

    pki.distrust(&digits).unwrap();
    assert!(!pki.is_trusted(&plc) && pki.trusted().unwrap().is_empty());
}

#[test]
fn a_certificate_is_trusted_from_a_file_too_and_gets_the_name_it_is_looked_for_by() {
    let folder = tempfile::tempdir().unwrap();
    let ((pki, _), (_, plc)) = (station(folder.path(), "plumb"), station(folder.path(), "plc"));
    pki.trust(plc.certificate_path.to_str().unwrap()).unwrap();
    assert!(pki.is_trusted(&plc.certificate));
    assert!(pki.trusted().unwrap()[0].path.ends_with(plc.certificate.file_name()));

    // Laid there by hand: a person's act as well.
    let (_, mes) = station(folder.path(), "mes");
    fs::copy(&mes.certificate_path, pki.folder().join("trusted/from the MES.der")).unwrap();
    assert!(!pki.is_trusted(&mes.certificate));
    assert!(Pki::open(pki.folder()).unwrap().is_trusted(&mes.certificate));
    assert_eq!(files(pki.folder().join("trusted")), 2);
}

#[test]
fn another_certificate_under_a_trusted_name_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let ((pki, _), (_, plc)) = (station(folder.path(), "plumb"), station(folder.path(), "plc"));
    let (_, thief) = station(folder.path(), "thief");
    fs::copy(&plc.certificate_path, pki.folder().join("trusted").join(thief.certificate.file_name()))
        .unwrap();
    assert!(!pki.is_trusted(&thief.certificate));
}

#[test]
fn a_thumbprint_that_fits_nobody_or_is_none_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (pki, _) = station(folder.path(), "plumb");
    assert!(pki.trust("abcdef12").unwrap_err().to_string().contains("nobody"));
    for none in ["abc", "", "../../etc/passwd", "zzzzzzzz"] {
        assert!(pki.trust(none).unwrap_err().to_string().contains("neither"), "{none}");
    }
}

#[test]
fn those_who_knock_do_not_fill_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (pki, _) = station(folder.path(), "plumb");
    for number in 0..150 {
        fs::write(pki.folder().join(format!("rejected/{number}.der")), "x").unwrap();
    }
    assert_eq!(pki.prune().unwrap(), 50);
    assert_eq!(files(pki.folder().join("rejected")), 100);
}

#[test]
fn each_flaw_of_a_certificate_is_told_in_words_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (_, own) = station(folder.path(), "plc");
    let certificate: &Certificate = &own.certificate;
    let now = Timestamp::now();
    let says = |expect: Expect<'_>, at: Timestamp| {
        certificate.flaws(expect, at).iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let later = now + (24 * 366 * 6).hours();
    assert!(says(Expect::default(), later).contains("expired on 20"), "{}", says(Expect::default(), later));
    assert!(says(Expect::default(), now - 72.hours()).contains("set the clock"));
    let host = Expect { host: Some("10.0.4.7"), ..Expect::default() };
    let wrong_host = says(host, now);
    assert!(wrong_host.contains("\"10.0.4.7\"") && wrong_host.contains("\"station-3\""), "{wrong_host}");
    let uri = Expect { application_uri: Some("urn:evil"), ..Expect::default() };
    assert!(says(uri, now).contains("urn:evil") && says(uri, now).contains("urn:station-3:plc"));
    assert!(certificate.expiry(now).is_far());
    assert!(!certificate.expiry(later - (24 * 366).hours() - 2000.hours()).is_far());
}
