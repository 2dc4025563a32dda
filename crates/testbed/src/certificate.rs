//! Certificates for tests, and the authority that signs them.

use std::path::Path;

use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    x509::{
        X509, X509Name,
        extension::{BasicConstraints, SubjectAlternativeName},
    },
};

/// A certificate with its key.
pub(crate) struct Certificate {
    certificate: X509,
    key: PKey<Private>,
}

impl Certificate {
    /// An authority that signs others.
    pub(crate) fn authority() -> Result<Self, ErrorStack> {
        Self::new("testbed", None)
    }

    /// A certificate of a server at 127.0.0.1 (and not at `localhost`), or of a client, by its common name.
    pub(crate) fn signed_by(authority: &Self, name: &str) -> Result<Self, ErrorStack> {
        Self::new(name, Some(authority))
    }

    fn new(common_name: &str, authority: Option<&Self>) -> Result<Self, ErrorStack> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let mut name = X509Name::builder()?;
        name.append_entry_by_text("CN", common_name)?;
        let name = name.build();
        let mut serial = BigNum::new()?;
        serial.rand(127, MsbOption::MAYBE_ZERO, false)?;

        let mut builder = X509::builder()?;
        // As RFC 5280 numbers version 3.
        builder.set_version(2)?;
        builder.set_serial_number(&*serial.to_asn1_integer()?)?;
        builder.set_subject_name(&name)?;
        builder.set_pubkey(&key)?;
        builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
        builder.set_not_after(&*Asn1Time::days_from_now(1)?)?;
        let issuer = match authority {
            None => {
                builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
                builder.set_issuer_name(&name)?;
                &key
            }
            Some(authority) => {
                let issuer = authority.certificate.subject_name();
                builder.set_issuer_name(issuer)?;
                let context = builder.x509v3_context(Some(&authority.certificate), None);
                let names = SubjectAlternativeName::new().ip("127.0.0.1").build(&context)?;
                builder.append_extension(names)?;
                &authority.key
            }
        };
        builder.sign(issuer, MessageDigest::sha256())?;
        let certificate = builder.build();
        Ok(Self { certificate, key })
    }

    /// The certificate and its key, in PEM.
    pub(crate) fn to_pem(&self) -> Result<(Vec<u8>, Vec<u8>), ErrorStack> {
        Ok((self.certificate.to_pem()?, self.key.private_key_to_pem_pkcs8()?))
    }

    /// Writes the certificate to `NAME.pem`, its key to `NAME.key`, and both to `NAME.both`.
    pub(crate) fn write(&self, dir: &Path, name: &str) -> std::io::Result<()> {
        let (certificate, key) = self.to_pem()?;
        let write = |ending: &str, text: &[u8]| std::fs::write(dir.join(format!("{name}.{ending}")), text);
        write("pem", &certificate)?;
        write("key", &key)?;
        write("both", &[key, certificate].concat())
    }
}
