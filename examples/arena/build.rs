//! Builds the server anew when its page was.

use std::path::Path;

fn main() {
    let release = std::env::var_os("PROFILE").is_some_and(|profile| profile == "release");
    // The rules alone, which a browser predicts by, hold no page.
    let has_page = release && std::env::var_os("CARGO_FEATURE_NATIVE").is_some();
    let watched = match has_page {
        true if Path::new("web/dist").exists() => "web/dist",
        // A page that is not there yet will be in this folder.
        true => "web",
        // A debug build reads the page when it is asked for.
        false => "build.rs",
    };
    println!("cargo::rerun-if-changed={watched}");
}
