//! A plant's certificates, good and bad, made anew for a test: one authority ("plant"), one that nobody knows ("stranger").

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its own part")]

use plumb_plc::TlsConfig;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, date_time_ymd,
};
use std::{
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// The folder with NAME.pem and NAME.key of each. The files go with it.
pub(crate) struct Plant(tempfile::TempDir);

impl Plant {
    pub(crate) fn new() -> Self {
        let plant = Self(tempfile::tempdir().unwrap());
        let ours = authority("Plant");
        let others = authority("Somebody Else");
        plant.write("plant", &ours.pem(), ours.key());
        plant.write("stranger-ca", &others.pem(), others.key());
        let localhost = || CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
        let mut expired = localhost();
        (expired.not_before, expired.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
        let role = |name: &str| {
            let mut params = localhost();
            let text = [&[0x0c, name.len() as u8], name.as_bytes()].concat();
            let oid = [1, 3, 6, 1, 4, 1, 50_316, 802, 1];
            params.custom_extensions.push(CustomExtension::from_oid_content(&oid, text));
            params
        };
        let others_name = CertificateParams::new(vec!["plc-8.plant".into()]).unwrap();
        for (name, params, issuer) in [
            ("station", localhost(), &ours),
            ("plc", localhost(), &ours),
            ("other-name", others_name, &ours),
            ("expired", expired, &ours),
            ("stranger", localhost(), &others),
            ("operator", role("operator"), &ours),
            ("viewer", role("viewer"), &ours),
        ] {
            let key = KeyPair::generate().unwrap();
            let mut params: CertificateParams = params;
            params.distinguished_name.push(DnType::CommonName, name);
            params.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            plant.write(name, &params.signed_by(&key, issuer).unwrap().pem(), &key);
        }
        plant
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// The table of a station that shows `name` and trusts the plant's authority.
    pub(crate) fn tls(&self, name: &str) -> TlsConfig {
        TlsConfig {
            ca: self.path("plant.pem"),
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
            server_name: None,
            roles: Vec::new(),
        }
    }

    fn write(&self, name: &str, certificate: &str, key: &KeyPair) {
        std::fs::write(self.path(&format!("{name}.pem")), certificate).unwrap();
        let mut options = std::fs::OpenOptions::new();
        let file = options.create(true).write(true).mode(0o600).open(self.path(&format!("{name}.key")));
        file.unwrap().write_all(key.serialize_pem().as_bytes()).unwrap();
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}
