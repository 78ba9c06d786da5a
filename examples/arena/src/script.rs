//! A fixed game without players, to check that every machine computes the same bits.

use tickwire_shared::predict::{Predict as _, PredictedStep};
use tickwire_shared::quantize::Kinds as _;
use tickwire_shared::schema::LANES_MAX;
use tickwire_shared::{
    Capture, Inputs, NewPlayer, NewRoom, Outbox, PlayerId, Simulation as _, Tick,
};

use crate::rules::{Arena, Controls, Entity, Random};

const PLAYERS: u32 = 8;
const SEED: u64 = 7;

/// Plays `ticks` ticks: a room with eight players and scripted inputs, and a ship that is predicted
/// alone. Returns a hash (FNV-1a) of all lanes of all entities in all ticks.
pub fn play(ticks: u32) -> u64 {
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    let mut random = Random::new(SEED);
    let mut arena = Arena::new(&NewRoom::with_seed(SEED));
    let mut inputs: Vec<(PlayerId, Controls)> =
        (1..=PLAYERS).map(|player| (PlayerId(player), Controls::default())).collect();
    for (player, _) in &inputs {
        arena.join(&NewPlayer::named(*player, "script"));
    }
    let mut capture = Capture::default();
    let mut alone = None;
    let mut outbox = Outbox::default();
    for tick in 1..=ticks {
        if tick % 12 == 1 {
            for (_, controls) in &mut inputs {
                *controls = some(&mut random);
            }
        }
        arena.step(&Inputs::new(Tick(tick), &inputs), &mut outbox);
        outbox.drain().for_each(drop);
        arena.capture(&mut capture);
        for seen in capture.drain() {
            hash.take(&seen.entity);
            if alone.is_none() {
                alone = Arena::from_entity(seen.id, &seen.entity, None);
            }
        }
        if let Some(own) = &mut alone {
            let mut made = PredictedStep::alone();
            Arena::predict_step(own, inputs[0].1, &mut made);
            hash.take(&Arena::to_entity(own));
            made.spawned.iter().for_each(|shot| hash.take(shot));
        }
    }
    hash.0
}

fn some(random: &mut Random) -> Controls {
    Controls {
        turn: (random.between(-8.0, 8.0).round()) / 8.0,
        thrust: random.below(4) > 0,
        brake: random.below(8) == 0,
        fire: random.below(2) == 0,
    }
}

struct Hash(u64);

impl Hash {
    fn take(&mut self, entity: &Entity) {
        let mut lanes = [0; LANES_MAX];
        entity.to_lanes(&mut lanes);
        for lane in std::iter::once(i32::from(entity.kind())).chain(lanes) {
            for byte in lane.to_le_bytes() {
                self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    /// The page's tests compare the same hash in browsers.
    const HASH: &str = include_str!("../web/e2e/script-hash.txt");

    #[test]
    fn ten_thousand_ticks_give_the_states_they_always_gave() {
        assert_eq!(format!("{:016x}", super::play(10_000)), HASH.trim());
    }
}
