//! Answers of the admin side as tables for a terminal.

use serde_json::{Map, Value};

use crate::log::harmless;

/// The fields by which a line is known: their columns come first.
const FIRST: [&str; 3] = ["player", "key", "name"];
/// Characters of a cell, at most.
const CELL_MAX: usize = 60;

/// An answer as a table: a line for each object of its list, or a line for each field of an object.
pub(super) fn of(answer: &Value) -> String {
    let list = match answer {
        Value::Array(list) => Some((list, None)),
        Value::Object(fields) => {
            let list = fields
                .values()
                .find_map(Value::as_array)
                .filter(|list| list.iter().all(Value::is_object));
            list.filter(|_| fields.contains_key("found"))
                .map(|list| (list, fields["found"].as_u64()))
        }
        _ => None,
    };
    match (list, answer) {
        (Some((list, found)), _) => rows(list) + &left_out(list.len(), found),
        (None, Value::Object(fields)) => {
            let pairs = fields.iter().map(|(name, value)| vec![harmless(name), cell(value)]);
            aligned(pairs.collect())
        }
        (None, other) => cell(other) + "\n",
    }
}

fn left_out(shown: usize, found: Option<u64>) -> String {
    match found {
        Some(found) if found > shown as u64 => {
            format!("{} more are not shown; ask for fewer\n", found - shown as u64)
        }
        Some(0) => "none\n".to_owned(),
        _ => String::new(),
    }
}

fn rows(list: &[Value]) -> String {
    let empty = Map::new();
    let objects = list.iter().map(|value| value.as_object().unwrap_or(&empty));
    let Some(first) = objects.clone().next() else { return String::new() };
    let mut names: Vec<&String> = first.keys().collect();
    names.sort_by_key(|name| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    let head = names.iter().map(|name| harmless(&name.to_uppercase())).collect();
    let lines = objects.map(|fields| {
        names.iter().map(|name| fields.get(*name).map_or_else(String::new, cell)).collect()
    });
    aligned(std::iter::once(head).chain(lines).collect())
}

/// A value as words, without anything that a terminal would obey: names are of players.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(words) if words.is_empty() => "-".to_owned(),
        Value::Array(words) => words.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    let text = harmless(&text);
    match text.char_indices().nth(CELL_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn aligned(rows: Vec<Vec<String>>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_have_a_head_and_objects_a_line_for_each_field() {
        let list = json!({"found": 3, "rooms": [
            {"name": "bay", "players": 12, "tags": ["a", "b"], "is_quick": true},
            {"name": "a longer one", "players": 1, "tags": [], "is_quick": false},
        ]});
        let text = "NAME          IS_QUICK  PLAYERS  TAGS\n\
                    bay           yes       12       a,b\n\
                    a longer one  no        1        -\n\
                    1 more are not shown; ask for fewer\n";
        assert_eq!(of(&list), text);
        assert_eq!(of(&json!({"found": 0, "rooms": []})), "none\n");
        assert_eq!(
            of(&json!({"game": "arena", "stalled_rooms": []})),
            "game           arena\nstalled_rooms  -\n"
        );
    }

    #[test]
    fn no_name_of_a_player_moves_the_cursor_or_fills_the_screen() {
        let name = format!("\u{1b}[2J\r\n\u{202e}{}", "x".repeat(1000));
        let text = of(&json!({"found": 1, "players": [{"name": name}]}));
        assert_eq!(text.lines().count(), 2);
        assert!(
            text.chars()
                .all(|letter| letter == '\n' || !letter.is_control() && letter != '\u{202e}')
        );
        assert!(text.chars().count() < 100);
    }
}
