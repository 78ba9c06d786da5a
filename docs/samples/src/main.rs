//! The tutorial's server.

// ANCHOR: main
use tickwire_samples::tag::Tag;

fn main() -> std::process::ExitCode {
    tickwire_server::main::<Tag>(None)
}
// ANCHOR_END: main
