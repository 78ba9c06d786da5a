//! `tickwire-book DOCS OUTPUT`: builds the book of the folder `DOCS` into the folder `OUTPUT`.
//!
//! It is the `mdbook build` command as a library, so that nothing has to be installed and its version stands in
//! `Cargo.lock`.

use std::path::Path;

use anyhow::Context as _;
use mdbook_driver::MDBook;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [docs, output] = arguments.as_slice() else {
        anyhow::bail!("usage: tickwire-book DOCS OUTPUT");
    };
    let mut book = MDBook::load(docs).with_context(|| format!("cannot read the book in {docs}"))?;
    book.config.build.build_dir = Path::new(output).to_path_buf();
    book.build().with_context(|| format!("cannot build the book in {docs}"))
}
