//! The development certificates of one server: the current one and its successor.
//!
//! ```text
//!  current  |--------- use ---------|......... still valid .........|
//!  next                 published   |--------- use ---------|......|
//!                                   ^ half of what current has left
//! ```
//!
//! A page that got both hashes can connect until the next one is retired: for at least six days on
//! a server that runs all the time. Each certificate is in one file with its key, so that the pair
//! is replaced as a whole.

use std::path::{Path, PathBuf};

use time::{Duration, OffsetDateTime};

use crate::generate::{BACKDATE, generate};
use crate::private_file::create_dir;
use crate::{Certificate, CertsError};

mod file;

/// Remaining validity below which the server does not start with a certificate.
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
    /// [`CertsError`] if the directory or its files cannot be written.
    pub fn open(dir: &Path, now: OffsetDateTime) -> Result<Store, CertsError> {
        Store::open_with_names(dir, now, &[])
    }

    /// As [`Store::open`], for certificates with `names` besides the default ones: DNS names and
    /// addresses of the server. Certificates without them are replaced.
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

    /// The successor of the current certificate; publish both hashes.
    pub fn next(&self) -> &Certificate {
        &self.next
    }

    /// The time at which [`Store::rotate_if_due`] will rotate.
    pub fn rotates_at(&self) -> OffsetDateTime {
        self.next.not_before + BACKDATE
    }

    /// Rotates to the next certificate when its time has come, well before the current one expires,
    /// and makes a new successor. Returns true if it did.
    ///
    /// After a clock was put back, or stood still while the machine slept, the certificates may lie
    /// in the future or the past: no browser accepts those, so both are made anew.
    ///
    /// An unwritable directory is logged, and the server continues with the new certificate in
    /// memory.
    ///
    /// # Errors
    /// [`CertsError::Generate`] if no certificate can be made; the old ones stay.
    pub fn rotate_if_due(&mut self, now: OffsetDateTime) -> Result<bool, CertsError> {
        let is_in_time = self.current.is_valid_at(now) && now < self.rotates_at();
        if is_in_time && follows(&self.next, &self.current) {
            return Ok(false);
        }
        self.rotate(now)?;
        Ok(true)
    }

    /// Rotates now, whatever the time: for a key that may have leaked.
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

    /// Writes both, the current one first: an interruption loses only the next one.
    fn save(&self) -> Result<(), CertsError> {
        file::save(&self.dir.join(CURRENT_FILE), &self.current)?;
        file::save(&self.dir.join(NEXT_FILE), &self.next)
    }
}

/// True if a certificate may be served from `now` on.
fn starts(certificate: &Certificate, now: OffsetDateTime) -> bool {
    certificate.is_valid_at(now) && certificate.not_after - now >= VALIDITY_LEFT_MIN
}

/// True if `next` takes over while `current` is still valid, and outlives it.
fn follows(next: &Certificate, current: &Certificate) -> bool {
    next.not_before + BACKDATE < current.not_after && next.not_after > current.not_after
}

/// The successor, which takes over half-way through the remaining validity of `current`.
fn successor(
    current: &Certificate,
    names: &[String],
    now: OffsetDateTime,
) -> Result<Certificate, CertsError> {
    generate(names, now + (current.not_after - now) / 2)
}
