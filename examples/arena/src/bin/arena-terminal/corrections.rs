//! A file of what the server corrected.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use tickwire_arena::rules::Arena;
use tickwire_client::Client;

/// Corrections that wait for the next frame.
pub(crate) const KEPT_MAX: usize = 256;
/// Lines of the file; later corrections are not written.
const LINES_MAX: usize = 10_000;

/// Lines of JSON, one for each correction.
pub(crate) struct CorrectionFile {
    file: File,
    lines: usize,
}

impl CorrectionFile {
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path);
        let file = file.with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(CorrectionFile { file, lines: 0 })
    }

    /// Writes what came since the last frame.
    pub(crate) fn take(&mut self, client: &mut Client<Arena>) -> anyhow::Result<()> {
        while let Some(correction) = client.poll_correction() {
            if self.lines < LINES_MAX {
                self.lines += 1;
                let mut line = serde_json::to_vec(&correction)?;
                line.push(b'\n');
                self.file.write_all(&line).context("the file of corrections")?;
            }
        }
        Ok(())
    }
}
