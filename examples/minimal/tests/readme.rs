//! What the README says of the code is what the code is.

use tickwire_server::ServerConfig;

const README: &str = include_str!("../../../README.md");

#[test]
fn the_readme_shows_the_whole_game() {
    let game = include_str!("../src/main.rs");
    // The last two lines only find the game's own test.
    let game = game.strip_suffix("\n#[cfg(test)]\nmod tests;\n").unwrap();
    let (_, after) = README.split_once("## A game in 60 lines").unwrap();
    let (_, block) = after.split_once("```rust\n").unwrap();
    let (block, _) = block.split_once("```\n").unwrap();
    assert_eq!(block, game, "copy src/main.rs into the README");
    let code = game.lines().filter(|line| !line.is_empty() && !line.trim().starts_with("//"));
    assert!(code.count() <= 60);
}

#[test]
fn the_limits_of_the_readme_are_the_defaults() {
    let defaults = serde_json::to_value(ServerConfig::default()).unwrap();
    let (_, after) = README.split_once("## Limits").unwrap();
    let (table, _) = after.split_once("| fixed | limit |").unwrap();
    let mut rows = 0;
    for row in table.lines().filter(|line| line.ends_with("` |")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let setting = cells[2].trim_matches('`');
        let value = setting.split('.').fold(&defaults, |value, key| &value[key]);
        assert_eq!(value.to_string(), cells[1], "{setting}");
        rows += 1;
    }
    assert!(rows > 20, "only {rows} rows were found");
}
