//! The pages of the book generated from the settings and constants: `docs/src/reference`.
//!
//! `cargo xtask reference` writes them; the tests compare them with the code.

use std::fmt::Write as _;
use std::path::Path;

use figment::Figment;
use figment::providers::Serialized;
use tickwire_shared::control::FRAME_BYTES_MAX;
use tickwire_shared::delta::EXTRAPOLATION_TICKS_MAX;
use tickwire_shared::input::INPUTS_MAX;
use tickwire_shared::model::LEAVES_MAX;
use tickwire_shared::replica::STATES_MAX;
use tickwire_shared::schema::{KINDS_MAX, LANES_MAX};
use tickwire_shared::snapshot::{BASELINE_AGE_MAX, EVENTS_MAX};
use tickwire_shared::{GAP_TICKS_MAX, PROTOCOL_VERSION};

use super::load::{every_setting, shown};
use super::sections::{SECTIONS, section_of};
use super::{PAGE_POLICY, ServerConfig};

#[test]
fn the_reference_of_settings_is_of_this_code() {
    let mut page = String::from(
        "# Settings\n\n<!-- Written by `cargo xtask reference` from `server/src/config.rs`. -->\n\n\
         Each setting is a key of the TOML file (those of a room under `[room]`), an environment variable and a flag:\n\
         `room.players_max`, `TICKWIRE_ROOM_PLAYERS_MAX`, `--room-players-max`. [Operating](../operating.md#configuration)\n\
         has an example of each form.\n",
    );
    let defaults = Figment::from(Serialized::defaults(ServerConfig::default()));
    for (at, (title, _)) in SECTIONS.iter().enumerate() {
        let _ = write!(
            page,
            "\n## {title}\n\n| setting | default | allowed | meaning |\n| --- | --- | --- | --- |\n"
        );
        for (key, setting) in every_setting().filter(|(key, _)| section_of(key) == Some(at)) {
            let value = defaults.find_value(&key).map_or_else(|_| "none".into(), |it| shown(&it));
            let value =
                if value == PAGE_POLICY { "see `--help`".to_owned() } else { format!("`{value}`") };
            let allowed = setting.allowed_text().unwrap_or_default();
            let help: Vec<&str> = setting.help.iter().map(|line| line.trim()).collect();
            let _ = writeln!(page, "| `{key}` | {value} | {allowed} | {} |", help.join(" "));
        }
    }
    hold("settings.md", &page);
}

#[test]
fn the_reference_of_limits_is_of_this_code() {
    let limits = [
        ("version of the protocol", usize::from(PROTOCOL_VERSION)),
        ("bytes of a control or chat frame after its length", FRAME_BYTES_MAX),
        ("lanes of a kind of entity, of an event, of a command, of an input", LANES_MAX),
        ("kinds of entity, kinds of event and kinds of command", KINDS_MAX),
        ("inputs in one datagram", INPUTS_MAX),
        ("events in one snapshot: reliable, and as many unreliable ones", EVENTS_MAX),
        ("ticks: age of a snapshot's common baseline", BASELINE_AGE_MAX as usize),
        ("ticks for which a velocity moves a baseline on", EXTRAPOLATION_TICKS_MAX as usize),
        ("states that a client keeps of one entity", STATES_MAX),
        ("ticks without a snapshot after which a stay gets a new seat", GAP_TICKS_MAX as usize),
        ("leaves of a decision tree in a model", LEAVES_MAX),
    ];
    let mut page = String::from(
        "# Fixed limits\n\n<!-- Written by `cargo xtask reference` from the constants of `shared`. -->\n\n\
         The protocol fixes these; every other limit is a [setting](settings.md).\n\n\
         | limit | value |\n| --- | --- |\n",
    );
    for (what, value) in limits {
        let _ = writeln!(page, "| {what} | {value} |");
    }
    page.push_str("| ticks a second, chosen by the game | 1 to 1000 |\n");
    page.push_str("| early data (0-RTT) | off |\n");
    hold("limits.md", &page);
}

/// Compares a page of the book with the expected text, or writes it if asked to.
fn hold(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/reference").join(name);
    if std::env::var_os("TICKWIRE_WRITE_REFERENCE").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let is = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(is == page, "run `cargo xtask reference`: {} is of other code", path.display());
}
