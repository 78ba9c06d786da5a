//! `store dead-letters`: the messages that webhooks have given up.

use serde_json::json;

use crate::sanctions::date;
use crate::store::webhooks::DeadLetter;

/// A line of JSON for each.
pub(super) fn show(letters: &[DeadLetter]) -> String {
    let line = |letter: &DeadLetter| {
        let DeadLetter { id, dead_ms, attempts, reason, body } = letter;
        json!({ "id": id, "dead": date(*dead_ms), "dead_ms": dead_ms, "attempts": attempts, "reason": reason, "body": body })
            .to_string()
    };
    letters.iter().map(line).collect::<Vec<_>>().join("\n")
}
