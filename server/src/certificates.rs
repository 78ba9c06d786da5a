//! The certificate the server shows, and when it changes.

use std::path::PathBuf;

use tickwire_certs::{Certificate, CertsError, Store, load_pem};
use time::OffsetDateTime;

use crate::config::ServerConfig;

/// Where the certificate comes from.
#[derive(Debug)]
pub(crate) enum Certificates {
    /// Made here, for browsers that take it by its hash.
    Development(Box<Store>),
    /// Given as files, for everyone.
    Files { cert: PathBuf, key: PathBuf, current: Box<Certificate> },
}

impl Certificates {
    /// Loads or makes what `config` asks for.
    pub(crate) fn open(config: &ServerConfig, now: OffsetDateTime) -> Result<Self, CertsError> {
        if let (Some(cert), Some(key)) = (&config.cert_file, &config.key_file) {
            let current = Box::new(load_pem(cert, key)?);
            if !current.is_valid_at(now) {
                let (from, to) = (current.not_before, current.not_after);
                tracing::warn!(%from, %to, "the certificate is not valid now: clients will refuse it");
            }
            return Ok(Certificates::Files { cert: cert.clone(), key: key.clone(), current });
        }
        let names = &config.certs_names.0;
        let store = Store::open_with_names(&config.certs_dir, now, names)?;
        Ok(Certificates::Development(Box::new(store)))
    }

    /// What to show now.
    pub(crate) fn current(&self) -> &Certificate {
        match self {
            Certificates::Development(store) => store.current(),
            Certificates::Files { current, .. } => current,
        }
    }

    /// SHA-256 of this and the next certificate, for browsers; none for files, whose issuer browsers
    /// know.
    pub(crate) fn hashes(&self) -> Vec<[u8; 32]> {
        match self {
            Certificates::Development(store) => {
                vec![store.current().sha256, store.next().sha256]
            }
            Certificates::Files { .. } => Vec::new(),
        }
    }

    /// Whether they were made here.
    pub(crate) fn are_for_development(&self) -> bool {
        matches!(self, Certificates::Development(_))
    }

    /// Changes over if it is time, or the files changed. Says whether it did.
    pub(crate) fn refresh(&mut self, now: OffsetDateTime) -> Result<bool, CertsError> {
        match self {
            Certificates::Development(store) => store.rotate_if_due(now),
            Certificates::Files { cert, key, current } => {
                let read = load_pem(cert, key)?;
                if read.chain == current.chain {
                    return Ok(false);
                }
                **current = read;
                Ok(true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    #[test]
    fn the_published_next_certificate_is_the_one_that_follows() {
        let dir = tempfile::tempdir().unwrap();
        let certs_dir = dir.path().to_path_buf();
        let config = ServerConfig { certs_dir, ..ServerConfig::default() };
        let now = OffsetDateTime::now_utc();
        let mut certificates = Certificates::open(&config, now).unwrap();
        let before = certificates.hashes();
        assert!(!certificates.refresh(now).unwrap());
        assert!(certificates.refresh(now + Duration::days(9)).unwrap());
        let after = certificates.hashes();
        assert_eq!(after[0], before[1]);
        assert_eq!(certificates.current().sha256, before[1]);
        assert!(!before.contains(&after[1]));
    }

    #[test]
    fn files_are_read_again_when_they_change() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        let now = OffsetDateTime::now_utc();
        let write = || {
            let made = tickwire_certs::generate(&[], now).unwrap();
            std::fs::write(&cert, made.chain_pem()).unwrap();
            std::fs::write(&key, made.key_pem()).unwrap();
            made.sha256
        };
        let first = write();
        let config = ServerConfig {
            cert_file: Some(cert.clone()),
            key_file: Some(key.clone()),
            ..ServerConfig::default()
        };
        let mut certificates = Certificates::open(&config, now).unwrap();
        assert_eq!(certificates.current().sha256, first);
        assert!(certificates.hashes().is_empty());
        assert!(!certificates.refresh(now).unwrap());
        let second = write();
        assert!(certificates.refresh(now).unwrap());
        assert_eq!(certificates.current().sha256, second);
        std::fs::write(&cert, "nonsense").unwrap();
        assert!(certificates.refresh(now).is_err());
        assert_eq!(certificates.current().sha256, second);
    }
}
