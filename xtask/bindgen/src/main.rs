//! `tickwire-bindgen INPUT.wasm NAME DIRECTORY`: writes `NAME.js`, `NAME.d.ts` and `NAME_bg.wasm`
//! for a browser.
//!
//! It is the `wasm-bindgen` command as a library, at the version of the `wasm-bindgen` crate, so
//! that nothing has to be installed and the two can never differ.

use anyhow::Context as _;
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, name, directory] = arguments.as_slice() else {
        anyhow::bail!("usage: tickwire-bindgen INPUT.wasm NAME DIRECTORY");
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).out_name(name).typescript(true).remove_producers_section(true);
    bindgen.web(true).context("cannot write for browsers")?;
    bindgen
        .generate(directory)
        .with_context(|| format!("cannot make {directory}/{name}.js from {input}"))
}
