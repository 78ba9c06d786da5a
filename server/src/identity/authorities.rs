//! The certificate authorities by which a server of keys, or a receiver of webhooks, is trusted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// The reason for no TLS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritiesError {
    /// An unusable file.
    #[error("the certificate authorities of {setting} {} cannot be used: {reason}", .path.display())]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// The fault, in words.
        reason: String,
    },
    /// No authorities on this machine.
    #[error(
        "this machine has no certificate authorities to check {url} by ({reason}); install them (ca-certificates), or give {ca_file}"
    )]
    System {
        /// The setting of the address.
        url: &'static str,
        /// The setting of a file of authorities.
        ca_file: &'static str,
        /// The system's words.
        reason: String,
    },
}

/// The names of the settings by which a server is trusted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrustSettings {
    pub(crate) url: &'static str,
    pub(crate) ca_file: &'static str,
}

/// TLS that trusts the authorities of a file, or those of this machine.
pub(crate) fn tls_by(
    file: Option<&Path>,
    settings: TrustSettings,
) -> Result<TlsConnector, AuthoritiesError> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(path) => {
            let wrong = |reason: &dyn ToString| AuthoritiesError::File {
                setting: settings.ca_file,
                path: path.to_owned(),
                reason: reason.to_string(),
            };
            let read = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
            for certificate in read {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
            if roots.is_empty() {
                return Err(wrong(&"it has no CERTIFICATE in PEM"));
            }
        }
        None => {
            let loaded = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(loaded.certs);
            if roots.is_empty() {
                let first = loaded.errors.first().map_or_else(String::new, ToString::to_string);
                let TrustSettings { url, ca_file } = settings;
                return Err(AuthoritiesError::System { url, ca_file, reason: first });
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider is for these versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
