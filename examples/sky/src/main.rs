//! The server of gliders.

fn main() -> std::process::ExitCode {
    tickwire::run::<tickwire_sky::Sky>()
}
