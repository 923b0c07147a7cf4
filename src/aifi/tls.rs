//! Whom to trust: the public authorities, the system's (also from `SSL_CERT_FILE`) and the user's own.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use crate::failure::{Failure, FailureKind};

/// The TLS configuration of the one HTTP client.
///
/// The public authorities are compiled in as a floor, so that an image without a bundle still connects.
pub(super) fn configuration(own: &[CertificateDer<'static>]) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // A bundle with a broken certificate in it is not a reason to do without the others.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in own {
        roots.add(certificate.clone()).map_err(|error| {
            Failure::new(
                FailureKind::Config,
                "CA certificate (ca_certificate): cannot be used as a certificate authority. Paste your company's root certificate.",
            )
            .because(error)
        })?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(FailureKind::Internal, "TLS could not be set up.").because(error))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
