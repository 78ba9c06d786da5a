//! The source of a page's files: a directory, or the game's own binary.

use std::borrow::Cow;
use std::future::Future;
use std::io::{self, Cursor, ErrorKind, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::fs::{Backend, File, Metadata};

use super::asset::Page;

/// The files of a page.
#[derive(Clone, Debug)]
pub(super) enum Files {
    /// Files below a directory. Links out of it and names that begin with a dot are not served.
    Of(Arc<Path>),
    /// Files built into the binary.
    Held(Page),
}

/// The facts about a file, without its content.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileInfo {
    is_dir: bool,
    bytes: u64,
    modified: Option<SystemTime>,
}

/// A file that is being sent.
#[derive(Debug)]
pub(super) struct Opened {
    facts: FileInfo,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Disk(tokio::fs::File),
    Memory(Cursor<Bytes>),
}

type BackendFuture<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

impl Backend for Files {
    type File = Opened;
    type Metadata = FileInfo;
    type OpenFuture = BackendFuture<Opened>;
    type MetadataFuture = BackendFuture<FileInfo>;

    fn open(&self, path: PathBuf) -> BackendFuture<Opened> {
        match self {
            Files::Held(page) => {
                let opened = held(*page, &path).map(|(facts, bytes)| Opened {
                    facts,
                    source: Source::Memory(Cursor::new(bytes)),
                });
                Box::pin(std::future::ready(opened))
            }
            Files::Of(dir) => off_the_loop(Arc::clone(dir), path, |path, facts| {
                let file = tokio::fs::File::from_std(std::fs::File::open(path)?);
                Ok(Opened { facts, source: Source::Disk(file) })
            }),
        }
    }

    fn metadata(&self, path: PathBuf) -> BackendFuture<FileInfo> {
        match self {
            Files::Held(page) => {
                let found = held(*page, &path).map(|(facts, _)| facts);
                let folder = || held(*page, &path.join("index.html")).map(|_| FileInfo::FOLDER);
                Box::pin(std::future::ready(found.or_else(|_| folder())))
            }
            Files::Of(dir) => off_the_loop(Arc::clone(dir), path, |_, facts| Ok(facts)),
        }
    }
}

/// Finds a file of a directory and calls `then` with it, on a thread that may wait for the disk.
fn off_the_loop<T: Send + 'static>(
    dir: Arc<Path>,
    path: PathBuf,
    then: impl FnOnce(&Path, FileInfo) -> io::Result<T> + Send + 'static,
) -> BackendFuture<T> {
    Box::pin(async move {
        let found = tokio::task::spawn_blocking(move || {
            let (place, facts) = find(&dir, &path)?;
            then(&place, facts)
        });
        found.await.map_err(io::Error::other)?
    })
}

/// The path of a file of `dir`, with links resolved, and its facts.
fn find(dir: &Path, path: &Path) -> io::Result<(PathBuf, FileInfo)> {
    let dir = dir.canonicalize()?;
    let place = dir.join(path).canonicalize()?;
    let inside = place.strip_prefix(&dir).map_err(|_| ErrorKind::NotFound)?;
    if is_hidden(path) || is_hidden(inside) {
        return Err(ErrorKind::NotFound.into());
    }
    let metadata = place.metadata()?;
    // Reading a pipe or a device would block.
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(ErrorKind::NotFound.into());
    }
    let facts = FileInfo {
        is_dir: metadata.is_dir(),
        bytes: metadata.len(),
        modified: metadata.modified().ok(),
    };
    Ok((place, facts))
}

/// True if a name of the path begins with a dot. `.well-known` is public (RFC 8615).
fn is_hidden(path: &Path) -> bool {
    path.components().any(|part| match part {
        Component::Normal(name) => name.as_encoded_bytes()[0] == b'.' && name != ".well-known",
        _ => false,
    })
}

/// A file built into the game's binary.
fn held(page: Page, path: &Path) -> io::Result<(FileInfo, Bytes)> {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let name = names.collect::<Vec<_>>().join("/");
    let asset = page(&name).ok_or(ErrorKind::NotFound)?;
    let bytes = match asset.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let facts = FileInfo { is_dir: false, bytes: bytes.len() as u64, modified: asset.modified };
    Ok((facts, bytes))
}

impl FileInfo {
    /// The facts about a folder in a binary.
    const FOLDER: FileInfo = FileInfo { is_dir: true, bytes: 0, modified: None };
}

impl Metadata for FileInfo {
    fn is_dir(&self) -> bool {
        self.is_dir
    }

    fn modified(&self) -> io::Result<SystemTime> {
        self.modified.ok_or_else(|| ErrorKind::Unsupported.into())
    }

    fn len(&self) -> u64 {
        self.bytes
    }
}

impl File for Opened {
    type Metadata = FileInfo;
    type MetadataFuture<'a> = std::future::Ready<io::Result<FileInfo>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        std::future::ready(Ok(self.facts))
    }
}

impl AsyncRead for Opened {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.source {
            Source::Disk(file) => Pin::new(file).poll_read(context, buffer),
            Source::Memory(bytes) => Pin::new(bytes).poll_read(context, buffer),
        }
    }
}

impl AsyncSeek for Opened {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        match &mut self.source {
            Source::Disk(file) => Pin::new(file).start_seek(position),
            Source::Memory(bytes) => Pin::new(bytes).start_seek(position),
        }
    }

    fn poll_complete(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match &mut self.source {
            Source::Disk(file) => Pin::new(file).poll_complete(context),
            Source::Memory(bytes) => Pin::new(bytes).poll_complete(context),
        }
    }
}
