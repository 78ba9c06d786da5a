//! Names and chat messages of bots.

use crate::rules::{Random, TICK_HZ};

const NAMES: [&str; 24] = [
    "Vega",
    "Altair",
    "Mira",
    "Rigel",
    "Nova",
    "Castor",
    "Pollux",
    "Lyra",
    "Orion",
    "Deneb",
    "Spica",
    "Atlas",
    "Electra",
    "Maia",
    "Naos",
    "Polaris",
    "Sirius",
    "Thuban",
    "Wezen",
    "Zaurak",
    "Adhara",
    "Bellatrix",
    "Corvus",
    "Draco",
];

const REMARKS: [&str; 20] = [
    "good shot",
    "mind the rocks",
    "who has the repair kit?",
    "on my way to the middle",
    "my gun is glowing",
    "behind you!",
    "that one was mine",
    "azure looks strong today",
    "amber is catching up",
    "cover me, I am nearly scrap",
    "anyone near the north wall?",
    "two on my tail",
    "nice dodge",
    "overdrive!",
    "so many asteroids",
    "gg",
    "let's go for the leader",
    "I meant to do that",
    "out of the way, please",
    "regrouping",
];

const PAUSE_SECONDS_MIN: u32 = 15;
const PAUSE_SECONDS_MAX: u32 = 45;

pub(super) fn name(number: u32) -> String {
    let star = NAMES[number as usize % NAMES.len()];
    match number / NAMES.len() as u32 {
        0 => star.to_owned(),
        round => format!("{star}-{}", round + 1),
    }
}

pub(super) fn pause_ticks(random: &mut Random) -> u32 {
    (PAUSE_SECONDS_MIN + random.below(PAUSE_SECONDS_MAX - PAUSE_SECONDS_MIN)) * TICK_HZ
}

pub(super) fn remark(random: &mut Random) -> &'static str {
    REMARKS[random.below(REMARKS.len() as u32) as usize]
}
