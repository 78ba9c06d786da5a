//! The development certificates of one server: the one in use and the one that follows it.
//!
//! ```text
//!  current  |--------- use ---------|......... still valid .........|
//!  next                 published   |--------- use ---------|......|
//!                                   ^ half of what current has left
//! ```
//!
//! A page that was given both hashes at any moment can connect until the next one is retired: at
//! least six days on a server that runs all the time. Each lives in one file with its key, so that
//! the pair is replaced as a whole.

use std::path::{Path, PathBuf};

use time::{Duration, OffsetDateTime};

use crate::generate::{BACKDATE, generate};
use crate::private_file::create_dir;
use crate::{Certificate, CertsError};

mod file;

/// Below this much validity left, a certificate is not worth starting with.
const VALIDITY_LEFT_MIN: Duration = Duration::days(1);

const CURRENT_FILE: &str = "current.pem";
const NEXT_FILE: &str = "next.pem";

/// Keeps the current and the next development certificate in a directory.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    names: Vec<String>,
    current: Certificate,
    next: Certificate,
}

impl Store {
    /// Loads the certificates of `dir`, or makes them. Files that are damaged, expired or of
    /// another kind are replaced, each with a line in the log.
    ///
    /// # Errors
    /// [`CertsError`] when the directory or its files cannot be written.
    pub fn open(dir: &Path, now: OffsetDateTime) -> Result<Store, CertsError> {
        Store::open_with_names(dir, now, &[])
    }

    /// As [`Store::open`], for certificates that carry `names` besides the default ones: DNS names
    /// and addresses under which the server is reached. Certificates without them are replaced.
    ///
    /// # Errors
    /// As [`Store::open`], and [`CertsError::Name`].
    pub fn open_with_names(
        dir: &Path,
        now: OffsetDateTime,
        names: &[String],
    ) -> Result<Store, CertsError> {
        create_dir(dir)?;
        let stored_current = file::load(&dir.join(CURRENT_FILE), names, now)?;
        let stored_next = file::load(&dir.join(NEXT_FILE), names, now)?;
        let (current, next) = match (stored_current.filter(|it| starts(it, now)), stored_next) {
            (Some(current), next) => (current, next),
            (None, Some(next)) if starts(&next, now) => (next, None),
            (None, _) => (generate(names, now)?, None),
        };
        let next = next.filter(|next| follows(next, &current));
        let complete = next.is_some();
        let next = next.map_or_else(|| successor(&current, names, now), Ok)?;
        let mut store = Store { dir: dir.to_path_buf(), names: names.to_vec(), current, next };
        if !store.rotate_if_due(now)? && !complete {
            store.save()?;
        }
        Ok(store)
    }

    /// The certificate to serve.
    pub fn current(&self) -> &Certificate {
        &self.current
    }

    /// The certificate that will be served after it; publish its hash together with the current one.
    pub fn next(&self) -> &Certificate {
        &self.next
    }

    /// When [`Store::rotate_if_due`] will change over.
    pub fn rotates_at(&self) -> OffsetDateTime {
        self.next.not_before + BACKDATE
    }

    /// Changes over to the next certificate when its time has come, well before the current one
    /// expires, and makes the one after it. Says whether it did.
    ///
    /// A clock that was put back, or stood still while the machine slept, may leave it with certificates
    /// of the future or of the past: no browser takes those, so both are made anew.
    ///
    /// A directory that cannot be written does not stop it: the log says so, and the server goes on
    /// with the new certificate in memory.
    ///
    /// # Errors
    /// [`CertsError::Generate`] when no certificate can be made; the old ones stay.
    pub fn rotate_if_due(&mut self, now: OffsetDateTime) -> Result<bool, CertsError> {
        let is_in_time = self.current.is_valid_at(now) && now < self.rotates_at();
        if is_in_time && follows(&self.next, &self.current) {
            return Ok(false);
        }
        self.rotate(now)?;
        Ok(true)
    }

    /// Changes over now, whatever the time: for a key that may have been seen.
    ///
    /// # Errors
    /// As [`Store::rotate_if_due`].
    pub fn rotate(&mut self, now: OffsetDateTime) -> Result<(), CertsError> {
        let current =
            if starts(&self.next, now) { self.next.clone() } else { generate(&self.names, now)? };
        let next = successor(&current, &self.names, now)?;
        self.current = current;
        self.next = next;
        tracing::info!(
            current = self.current.sha256_hex(),
            next = self.next.sha256_hex(),
            "development certificate changed"
        );
        if let Err(error) = self.save() {
            tracing::warn!(%error, "the new certificates are kept in memory only");
        }
        Ok(())
    }

    /// Writes both, the current one first: a stop between the two loses only the next one.
    fn save(&self) -> Result<(), CertsError> {
        file::save(&self.dir.join(CURRENT_FILE), &self.current)?;
        file::save(&self.dir.join(NEXT_FILE), &self.next)
    }
}

/// Whether a certificate may be served from `now` on.
fn starts(certificate: &Certificate, now: OffsetDateTime) -> bool {
    certificate.is_valid_at(now) && certificate.not_after - now >= VALIDITY_LEFT_MIN
}

/// Whether `next` takes over while `current` is still valid, and outlives it.
fn follows(next: &Certificate, current: &Certificate) -> bool {
    next.not_before + BACKDATE < current.not_after && next.not_after > current.not_after
}

/// The certificate that takes over half-way through what `current` has left.
fn successor(
    current: &Certificate,
    names: &[String],
    now: OffsetDateTime,
) -> Result<Certificate, CertsError> {
    generate(names, now + (current.not_after - now) / 2)
}
