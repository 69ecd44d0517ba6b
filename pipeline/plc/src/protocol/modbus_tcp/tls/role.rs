//! The role a certificate gives its holder: X.509 extension 1.3.6.1.4.1.50316.802.1, a UTF8String, of Modbus/TCP Security.

use rustls::pki_types::CertificateDer;
use x509_parser::{
    certificate::X509Certificate,
    der_parser::{asn1_rs::Utf8String, oid},
    prelude::FromDer as _,
};

/// The role; `None` where the certificate gives none. One that cannot be read, or is given twice, is none.
pub(crate) fn role_of(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let extension = certificate.get_extension_unique(&oid!(1.3.6.1.4.1.50316.802.1)).ok()??;
    let (rest, role) = Utf8String::from_der(extension.value).ok()?;
    rest.is_empty().then(|| role.string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, CustomExtension, KeyPair};

    fn with(extensions: &[&[u8]]) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["plc-7".to_owned()]).unwrap();
        let role = [1, 3, 6, 1, 4, 1, 50_316, 802, 1];
        params.custom_extensions = extensions
            .iter()
            .map(|content| CustomExtension::from_oid_content(&role, content.to_vec()))
            .collect();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn the_role_is_the_text_of_its_extension_and_nothing_else_is_a_role() {
        let rows: [(&[&[u8]], Option<&str>); 6] = [
            (&[b"\x0c\x08operator"], Some("operator")),
            (&[], None),
            (&[b"\x0c\x08operat"], None),
            (&[b"\x0c\x08operator!"], None),
            (&[b"\x04\x08operator"], None),
            (&[b"\x0c\x08operator", b"\x0c\x05admin"], None),
        ];
        for (extensions, role) in rows {
            assert_eq!(role_of(&with(extensions)).as_deref(), role, "{extensions:?}");
        }
        assert_eq!(role_of(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
