//! Whom the chassis trusts: the system's certificate authorities, or the bundled ones, and
//! those the operator adds.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::error::Error;

/// A configuration that trusts the system's authorities (`SSL_CERT_FILE` is respected),
/// the bundled ones where the system has none (a slim container), and those in `extra`.
pub(crate) fn config(extra: &[Vec<u8>]) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    with_roots(roots, extra)
}

fn with_roots(mut roots: RootCertStore, extra: &[Vec<u8>]) -> Result<ClientConfig, Error> {
    for (index, pem) in extra.iter().enumerate() {
        let wrong = |why: &str| Error::Settings(format!("egress CA file {}: {why}", index + 1));
        let mut count = 0_usize;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| wrong("not PEM"))?;
            roots.add(certificate).map_err(|_| wrong("has a certificate that is not one"))?;
            count += 1;
        }
        if count == 0 {
            return Err(wrong("has no PEM certificate"));
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::Internal("TLS has no protocol version"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// What TLS says, when `error` (one link of a chain) is about TLS.
pub(crate) fn complaint(error: &(dyn StdError + 'static)) -> Option<String> {
    let said = match innermost(error) {
        Some(io) => io.get_ref()?.downcast_ref::<rustls::Error>()?,
        None => error.downcast_ref::<rustls::Error>()?,
    };
    // The text may quote names out of the upstream's certificate.
    Some(said.to_string().chars().filter(|c| !c.is_control()).take(200).collect())
}

/// The kind of I/O error that `error` (one link of a chain) is.
pub(crate) fn io_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    innermost(error).map(io::Error::kind)
}

/// An I/O error inside I/O errors: `source` steps over what one wraps.
fn innermost<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    let mut io = error.downcast_ref::<io::Error>()?;
    while let Some(inner) = io.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>()) {
        io = inner;
    }
    Some(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_an_error() {
        for pem in [&b""[..], b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(matches!(config(&[pem.to_vec()]), Err(Error::Settings(_))));
        }
        assert!(config(&[]).is_ok());
    }
}
