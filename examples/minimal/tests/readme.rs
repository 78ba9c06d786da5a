//! The README shows the game as it is.

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
