//! Errors of certificates, each with its remedy.

use std::io;
use std::path::{Path, PathBuf};

/// The reason why a certificate could not be made, read or stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertsError {
    /// A file or directory could not be read or written.
    #[error("cannot {action} {}: {reason}; check that it exists and who may use it", path.display())]
    Io {
        /// The attempted action: `read`, `write`, `create`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        reason: io::Error,
    },
    /// A file holds no certificate.
    #[error(
        "{} holds no certificate; it needs a PEM block that begins with BEGIN CERTIFICATE, the server's own first",
        path.display()
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A file holds no private key.
    #[error(
        "{} holds no private key; it needs a PEM block that begins with BEGIN PRIVATE KEY (or EC or RSA PRIVATE KEY), not encrypted",
        path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A PEM block or the certificate inside is damaged.
    #[error("{} cannot be understood: {reason}; write the file again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The damage.
        reason: String,
    },
    /// The key does not belong to the certificate.
    #[error(
        "the key in {} is not the key of the certificate in {}; give the two files of one certificate",
        key.display(), cert.display()
    )]
    KeyMismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A name that a certificate cannot carry.
    #[error("`{name}` cannot stand in a certificate; give a DNS name or an IP address")]
    Name {
        /// The name.
        name: String,
    },
    /// A certificate could not be made or signed.
    #[error("a development certificate could not be made: {0}")]
    Generate(#[from] rcgen::Error),
}

impl CertsError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CertsError {
        move |reason| CertsError::Io { action, path: path.to_path_buf(), reason }
    }

    pub(crate) fn damaged(path: &Path, reason: impl ToString) -> CertsError {
        CertsError::Damaged { path: path.to_path_buf(), reason: reason.to_string() }
    }
}
