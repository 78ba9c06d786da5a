//! The sections in which `--help` and the book list the settings.

/// Each section's title, and the beginnings of its keys.
pub(super) const SECTIONS: &[(&str, &[&str])] = &[
    ("Addresses and files", &["listen", "page_", "public_", "cert", "key_file", "http_listen"]),
    ("HTTP", &["http", "stats", "allowed_origins"]),
    ("WebSocket", &["websocket"]),
    ("Handshakes", &["handshake", "prefix_share"]),
    (
        "Sessions and requests",
        &[
            "connections_",
            "roomless",
            "resume",
            "joins",
            "request",
            "control_",
            "commands_",
            "reliable",
            "static_",
        ],
    ),
    ("Identity", &["token_", "account_"]),
    ("Rooms", &["rooms_", "room_empty", "reservation"]),
    ("A room", &["room."]),
    ("Topics", &["topics."]),
    ("Webhooks", &["webhooks."]),
    ("Admin side", &["admin."]),
    ("Journals", &["journal"]),
    ("Store", &["store", "profile", "score_", "sanctions", "chat_"]),
    (
        "Simulation threads",
        &["sim_", "realtime", "catch_up", "mailbox", "inputs_", "outbox", "watchdog"],
    ),
    (
        "Network",
        &[
            "network",
            "bidi",
            "uni_",
            "stream",
            "connection_",
            "send_",
            "draining",
            "datagram",
            "idle",
            "keep",
            "udp",
        ],
    ),
    ("Log, stop and handover", &["log", "goodbye", "stop", "handover"]),
];

/// The place of a setting's section in [`SECTIONS`]: the first that has a beginning of its key.
pub(super) fn section_of(key: &str) -> Option<usize> {
    SECTIONS.iter().position(|(_, starts)| starts.iter().any(|start| key.starts_with(start)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::every_setting;

    #[test]
    fn each_setting_is_in_a_section_and_each_beginning_is_of_a_setting() {
        let keys: Vec<String> = every_setting().map(|(key, _)| key).collect();
        for key in &keys {
            assert!(section_of(key).is_some(), "{key} is in no section");
        }
        for (at, (title, starts)) in SECTIONS.iter().enumerate() {
            for start in *starts {
                let is_used = |key: &String| section_of(key) == Some(at) && key.starts_with(start);
                assert!(keys.iter().any(is_used), "{title}: no setting begins with {start:?}");
            }
        }
    }
}
