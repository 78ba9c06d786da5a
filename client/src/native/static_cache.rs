//! Where static data is kept between sessions.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use ring::digest::{SHA256, digest};
use tickwire_shared::control::ContentHash;

use crate::session::Session;

/// Keeps the static data of rooms between sessions, by its hash. A client asks within
/// [`Client::update`](crate::Client::update): be quick.
pub trait StaticCache: std::fmt::Debug + Send + Sync {
    /// The bytes of this hash. What has another hash is not taken.
    fn load(&self, hash: &ContentHash) -> Option<Vec<u8>>;

    /// Keeps them, if it can.
    fn store(&self, hash: &ContentHash, bytes: &[u8]);
}

/// A [`StaticCache`] of files in a directory; the oldest go when they take more bytes than they may.
#[derive(Clone, Debug)]
pub struct DirCache {
    dir: PathBuf,
    bytes_max: u64,
}

impl DirCache {
    /// In `dir`, which is made when it is needed and holds nothing else, at most `bytes_max` bytes.
    pub fn new(dir: impl Into<PathBuf>, bytes_max: u64) -> Self {
        DirCache { dir: dir.into(), bytes_max }
    }

    fn write(&self, hash: &ContentHash, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let path = self.dir.join(hash.to_string());
        // Whole or not at all, whoever else writes it.
        let part = self.dir.join(format!("{hash}.{}", std::process::id()));
        fs::write(&part, bytes)?;
        fs::rename(part, path)?;
        self.remove_oldest()
    }

    fn remove_oldest(&self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let about = entry.metadata()?;
            files.push((about.modified()?, about.len(), entry.path()));
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, length, path) in files {
            if bytes <= self.bytes_max {
                break;
            }
            fs::remove_file(path)?;
            bytes -= length;
        }
        Ok(())
    }
}

impl StaticCache for DirCache {
    fn load(&self, hash: &ContentHash) -> Option<Vec<u8>> {
        fs::read(self.dir.join(hash.to_string())).ok()
    }

    fn store(&self, hash: &ContentHash, bytes: &[u8]) {
        if let Err(error) = self.write(hash, bytes) {
            tracing::warn!(%error, dir = %self.dir.display(), "static data was not kept");
        }
    }
}

/// Gives the session what the cache has, and the cache what the session loaded.
pub(super) fn serve(session: &mut Session, cache: Option<&dyn StaticCache>) {
    while let Some(hash) = session.poll_static_wanted() {
        let found = cache.and_then(|cache| cache.load(&hash)).filter(|bytes| is_of(hash, bytes));
        session.give_static(hash, found.as_deref());
    }
    while let Some((hash, bytes)) = session.poll_static_loaded() {
        if let Some(cache) = cache.filter(|_| is_of(hash, &bytes)) {
            cache.store(&hash, &bytes);
        }
    }
}

fn is_of(ContentHash(hash): ContentHash, bytes: &[u8]) -> bool {
    digest(&SHA256, bytes).as_ref() == hash
}
