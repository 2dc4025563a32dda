//! Whom TLS to ClickHouse trusts.

use std::{fs, path::Path};

use native_tls::{Certificate, TlsConnector};

/// TLS that trusts what the system does, and the authorities of a file.
pub(crate) fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, String> {
    let mut tls = TlsConnector::builder();
    if let Some(ca_file) = ca_file {
        for authority in authorities(ca_file)? {
            tls.add_root_certificate(authority);
        }
    }
    tls.build().map_err(|error| error.to_string())
}

/// The certificates of a file.
pub(crate) fn authorities(ca_file: &Path) -> Result<Vec<Certificate>, String> {
    let pem = fs::read(ca_file).map_err(|error| format!("cannot read {}: {error}", ca_file.display()))?;
    match Certificate::stack_from_pem(&pem) {
        Ok(authorities) if !authorities.is_empty() => Ok(authorities),
        _ => Err(format!("{} holds no certificate in PEM", ca_file.display())),
    }
}
