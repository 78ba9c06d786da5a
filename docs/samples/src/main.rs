//! The tutorial's server.

// ANCHOR: main
use tickwire_samples::tag::Tag;

fn main() -> std::process::ExitCode {
    tickwire::run::<Tag>()
}
// ANCHOR_END: main
