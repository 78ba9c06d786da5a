//! The server of the game with static data.

fn main() -> std::process::ExitCode {
    tickwire::run::<tickwire_samples::map::Mine>()
}
