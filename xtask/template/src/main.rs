//! The server: `cargo run -- --help` shows its settings.

fn main() -> std::process::ExitCode {
    tickwire::run::<my_game::Game>()
}
