//! The server of the game with a field of every type.

fn main() -> std::process::ExitCode {
    tickwire::run::<tickwire_samples::echo::Echo>()
}
