//! The server's certificate and its rotation.

use std::path::PathBuf;
use std::time::Duration;

use tickwire_certs::{Certificate, CertsError, Secret, Store, load_pem};
use time::OffsetDateTime;

use crate::config::ServerConfig;

/// The source of the certificate.
#[derive(Debug)]
pub(crate) enum Certificates {
    /// Made by this server, for browsers that trust it by its hash.
    Development(Box<Store>),
    /// Given as files, for all clients.
    Files { cert: PathBuf, key: PathBuf, current: Box<Certificate> },
}

impl Certificates {
    /// Opens or makes the certificate that `config` asks for.
    pub(crate) fn open(config: &ServerConfig, now: OffsetDateTime) -> Result<Self, CertsError> {
        if let (Some(cert), Some(key)) = (&config.cert_file, &config.key_file) {
            let current = Box::new(load_pem(cert, key)?);
            warn_unless_valid(&current, now);
            return Ok(Certificates::Files { cert: cert.clone(), key: key.clone(), current });
        }
        let names = &config.certs_names.0;
        let store = Store::open_with_names(&config.certs_dir, now, names)?;
        Ok(Certificates::Development(Box::new(store)))
    }

    /// The certificate to show now.
    pub(crate) fn current(&self) -> &Certificate {
        match self {
            Certificates::Development(store) => store.current(),
            Certificates::Files { current, .. } => current,
        }
    }

    /// SHA-256 of the current and the next certificate, for browsers; empty for files, whose issuer
    /// browsers know.
    pub(crate) fn hashes(&self) -> Vec<[u8; 32]> {
        match self {
            Certificates::Development(store) => {
                vec![store.current().sha256, store.next().sha256]
            }
            Certificates::Files { .. } => Vec::new(),
        }
    }

    /// True if this server made them.
    pub(crate) fn are_for_development(&self) -> bool {
        matches!(self, Certificates::Development(_))
    }

    /// Rotates if it is time, or reloads changed files. Returns true if the certificate changed.
    /// Warns, each time, of files that clients refuse today.
    pub(crate) fn refresh(&mut self, now: OffsetDateTime) -> Result<bool, CertsError> {
        match self {
            Certificates::Development(store) => store.rotate_if_due(now),
            Certificates::Files { cert, key, current } => {
                let read = load_pem(cert, key)?;
                warn_unless_valid(&read, now);
                if read.chain == current.chain {
                    return Ok(false);
                }
                **current = read;
                Ok(true)
            }
        }
    }
}

/// The secret by which clients of an earlier server process learn that it is gone. It lies beside
/// the development certificates whether those are used or not; if it cannot be stored, it lasts as
/// long as the process.
pub(crate) fn reset_secret(config: &ServerConfig) -> Secret {
    Secret::open(&config.certs_dir).unwrap_or_else(|error| {
        tracing::warn!(
            %error,
            "no reset secret is kept: after a crash clients will notice only by their timeout"
        );
        Secret::random()
    })
}

/// Decides when to check the certificate again.
///
/// The wall clock runs on while the machine sleeps, and may be put back; the steady clock does
/// neither.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NextLook {
    pause: Duration,
    passed: Duration,
    looked_at: OffsetDateTime,
}

impl NextLook {
    pub(crate) fn new(pause: Duration, now: OffsetDateTime) -> Self {
        NextLook { pause, passed: Duration::ZERO, looked_at: now }
    }

    /// Advances the steady clock by `passed`. Returns true if it is time by either clock.
    pub(crate) fn is_due(&mut self, passed: Duration, now: OffsetDateTime) -> bool {
        self.passed += passed;
        let by_wall = now - self.looked_at;
        let due = self.passed >= self.pause || by_wall >= self.pause || by_wall.is_negative();
        if due {
            *self = NextLook::new(self.pause, now);
        }
        due
    }
}

fn warn_unless_valid(certificate: &Certificate, now: OffsetDateTime) {
    if !certificate.is_valid_at(now) {
        let (from, to) = (certificate.not_before, certificate.not_after);
        tracing::warn!(%from, %to, "the certificate is not valid now: clients will refuse it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration as Span;

    #[test]
    fn the_published_next_certificate_is_the_one_that_follows() {
        let dir = tempfile::tempdir().unwrap();
        let certs_dir = dir.path().to_path_buf();
        let config = ServerConfig { certs_dir, ..ServerConfig::default() };
        let now = OffsetDateTime::now_utc();
        let mut certificates = Certificates::open(&config, now).unwrap();
        let before = certificates.hashes();
        assert!(!certificates.refresh(now).unwrap());
        assert!(certificates.refresh(now + Span::days(9)).unwrap());
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

    #[test]
    fn a_machine_that_slept_or_whose_clock_was_put_back_looks_at_once() {
        let (start, second) = (OffsetDateTime::UNIX_EPOCH, Duration::from_secs(1));
        let mut look = NextLook::new(Duration::from_secs(3600), start);
        assert!(!look.is_due(second, start + Span::SECOND));
        // The steady clock stood still.
        let woken = start + Span::days(20);
        assert!(look.is_due(second, woken));
        assert!(!look.is_due(second, woken + Span::SECOND));
        let put_back = start - Span::days(300);
        assert!(look.is_due(second, put_back));
        assert!(!look.is_due(second, put_back + Span::SECOND));
        // The wall clock stands still.
        assert!((0..3600).any(|_| look.is_due(second, put_back + Span::SECOND)));
    }

    #[test]
    fn the_reset_secret_is_kept_beside_the_certificates_whether_those_are_files_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let certs_dir = dir.path().join("certs");
        let made_here = ServerConfig { certs_dir: certs_dir.clone(), ..ServerConfig::default() };
        let cert_file = Some(dir.path().join("cert.pem"));
        let from_files = ServerConfig { cert_file, ..made_here.clone() };
        let secret = reset_secret(&made_here);
        assert_eq!(reset_secret(&from_files).bytes(), secret.bytes());
        std::fs::remove_dir_all(&certs_dir).unwrap();
        std::fs::write(&certs_dir, "").unwrap();
        // It starts all the same, with a fresh secret.
        assert_ne!(reset_secret(&from_files).bytes(), secret.bytes());
    }
}
