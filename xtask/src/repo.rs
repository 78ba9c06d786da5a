//! Paths of the repository.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The checkout that the chores work in.
pub(crate) struct Repo {
    root: PathBuf,
    target: PathBuf,
}

impl Repo {
    pub(crate) fn find() -> anyhow::Result<Repo> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().context("xtask lies in the repository's root")?.to_path_buf();
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |it| root.join(it));
        Ok(Repo { root, target })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The target directory of every cargo command.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The npm package `tickwire`.
    pub(crate) fn package(&self) -> PathBuf {
        self.root.join("client/web")
    }

    /// The program that writes the reference of the npm package.
    pub(crate) fn typedoc(&self) -> PathBuf {
        self.package().join("typedoc")
    }

    /// The arena's page.
    pub(crate) fn page(&self) -> PathBuf {
        self.root.join("examples/arena/web")
    }

    /// The page of the minimal example.
    pub(crate) fn minimal_page(&self) -> PathBuf {
        self.root.join("examples/minimal/web")
    }

    /// The page of the tracking example.
    pub(crate) fn tracking_page(&self) -> PathBuf {
        self.root.join("examples/tracking/web")
    }

    /// The page of the quotes example.
    pub(crate) fn quotes_page(&self) -> PathBuf {
        self.root.join("examples/quotes/web")
    }

    /// The page of the rooms example.
    pub(crate) fn rooms_page(&self) -> PathBuf {
        self.root.join("examples/rooms/web")
    }

    /// The fuzz targets, a workspace of their own.
    pub(crate) fn fuzz(&self) -> PathBuf {
        self.root.join("shared/fuzz")
    }
}
