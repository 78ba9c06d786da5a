//! A certificate with its key, and its hash in the formats of browsers.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::CertsError;

/// A certificate chain, the key of its first certificate, and facts about them.
pub struct Certificate {
    /// The server's own certificate first, then its issuers.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key of the first certificate.
    pub key: PrivateKeyDer<'static>,
    /// SHA-256 of the first certificate's DER bytes, as `serverCertificateHashes` takes it.
    pub sha256: [u8; 32],
    /// First second of validity.
    pub not_before: OffsetDateTime,
    /// Last second of validity.
    pub not_after: OffsetDateTime,
}

impl Certificate {
    /// Joins a chain and its key; `cert` and `key_file` are only named in errors.
    pub(crate) fn from_parts(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        cert: &Path,
        key_file: &Path,
    ) -> Result<Certificate, CertsError> {
        let first =
            chain.first().ok_or_else(|| CertsError::NoCertificate { path: cert.to_path_buf() })?;
        let (_, parsed) =
            X509Certificate::from_der(first).map_err(|error| CertsError::damaged(cert, error))?;
        let not_before = parsed.validity().not_before.to_datetime();
        let not_after = parsed.validity().not_after.to_datetime();
        let sha256 = sha256(first);
        let certificate = Certificate { chain, key, sha256, not_before, not_after };
        certificate.check_key(cert, key_file)?;
        Ok(certificate)
    }

    /// The hash as standard base64, 44 characters.
    pub fn sha256_base64(&self) -> String {
        STANDARD.encode(self.sha256)
    }

    /// The hash as 64 lower-case hexadecimal digits.
    pub fn sha256_hex(&self) -> String {
        self.sha256.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The hash as upper-case hexadecimal bytes with colons between, as browsers show it.
    pub fn sha256_colon_hex(&self) -> String {
        self.sha256.map(|byte| format!("{byte:02X}")).join(":")
    }

    /// The chain as PEM, the server's own certificate first.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|der| pem_block("CERTIFICATE", der)).collect()
    }

    /// The private key as PEM. Keep it where only the server can read it.
    pub fn key_pem(&self) -> String {
        let label = match &self.key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        pem_block(label, self.key.secret_der())
    }

    /// True if `now` lies within the validity.
    pub fn is_valid_at(&self, now: OffsetDateTime) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// The whole validity, including the backdating.
    pub fn validity(&self) -> time::Duration {
        self.not_after - self.not_before
    }

    fn check_key(&self, cert: &Path, key_file: &Path) -> Result<(), CertsError> {
        let signing = rustls::crypto::ring::sign::any_supported_type(&self.key)
            .map_err(|error| CertsError::damaged(key_file, error))?;
        let pair = rustls::sign::CertifiedKey::new(self.chain.clone(), signing);
        match pair.keys_match() {
            // `Unknown`: the key cannot give its public half, so nothing speaks against it.
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
                Ok(())
            }
            Err(rustls::Error::InconsistentKeys(_)) => Err(CertsError::KeyMismatch {
                cert: cert.to_path_buf(),
                key: key_file.to_path_buf(),
            }),
            Err(error) => Err(CertsError::damaged(cert, error)),
        }
    }
}

impl Clone for Certificate {
    fn clone(&self) -> Certificate {
        Certificate {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
            sha256: self.sha256,
            not_before: self.not_before,
            not_after: self.not_after,
        }
    }
}

impl fmt::Debug for Certificate {
    /// Shows everything except the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("chain", &self.chain.len())
            .field("sha256", &self.sha256_hex())
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// Reads a certificate chain and its key from PEM files; both may be the same file.
///
/// # Errors
/// [`CertsError`] if a file cannot be read, holds no certificate or no key, or is damaged, or if
/// the key is not the certificate's. [`Certificate::is_valid_at`] checks the validity.
pub fn load_pem(cert_path: &Path, key_path: &Path) -> Result<Certificate, CertsError> {
    let cert_text = std::fs::read(cert_path).map_err(CertsError::io("read", cert_path))?;
    let key_text = std::fs::read(key_path).map_err(CertsError::io("read", key_path))?;
    let chain = CertificateDer::pem_slice_iter(&cert_text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| CertsError::damaged(cert_path, error))?;
    if chain.is_empty() {
        return Err(CertsError::NoCertificate { path: cert_path.to_path_buf() });
    }
    let key = PrivateKeyDer::from_pem_slice(&key_text).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            CertsError::NoKey { path: key_path.to_path_buf() }
        }
        error => CertsError::damaged(key_path, error),
    })?;
    Certificate::from_parts(chain, key, cert_path, key_path)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 is 32 bytes")
}

/// RFC 7468: base64 in lines of 64 characters between two labels.
fn pem_block(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut block = format!("-----BEGIN {label}-----\n");
    for line in base64.as_bytes().chunks(64) {
        block.extend(line.iter().map(|&byte| char::from(byte)));
        block.push('\n');
    }
    block + &format!("-----END {label}-----\n")
}
