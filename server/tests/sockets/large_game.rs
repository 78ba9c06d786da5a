//! A game whose field tables exceed the frame that carries them.

use serde::{Deserialize, Serialize};
use tickwire_server::{Server, ServerConfig, ServerError};
use tickwire_shared::compatibility::SchemaError;
use tickwire_shared::quantize::{Kinds, Misfits};
use tickwire_shared::schema::{FieldSchema, FieldType, KindSchema};
use tickwire_shared::{
    Capture, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Simulation,
};

use crate::game::Keys;

/// One of many kinds with many fields.
struct Part;

impl Kinds for Part {
    fn schemas() -> Vec<KindSchema> {
        let field = |number: usize| {
            FieldSchema::new(
                format!("the_value_of_the_gauge_with_number_{number}"),
                FieldType::Bool,
            )
        };
        let kind =
            |number: usize| KindSchema::new(format!("Panel{number}"), (0..64).map(field).collect());
        (0..32).map(kind).collect()
    }

    fn kind(&self) -> u8 {
        0
    }

    fn to_lanes(&self, lanes: &mut [i32]) -> Misfits {
        lanes[..64].fill(0);
        Misfits::NONE
    }

    fn from_lanes(_kind: u8, _lanes: &[i32]) -> Option<Self> {
        Some(Part)
    }
}

#[derive(Serialize, Deserialize)]
struct Plant;

#[tickwire_shared::game]
impl Simulation for Plant {
    const NAME: &'static str = "plant";
    type Input = Keys;
    type Entity = Part;

    fn new(_room: &NewRoom<Self>) -> Self {
        Plant
    }

    fn join(&mut self, _player: &NewPlayer<Self>) {}

    fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

    fn step(&mut self, _inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {}

    fn capture(&self, _world: &mut Capture<Part>) {}
}

#[tokio::test]
async fn a_game_that_no_client_could_be_told_of_is_not_served() {
    let refused = Server::<Plant>::bind(ServerConfig::default()).await.map(|_| ()).unwrap_err();
    let ServerError::Schema(SchemaError::TooLarge { bytes, .. }) = &refused else {
        panic!("{refused}")
    };
    assert!(refused.to_string().contains(&bytes.to_string()), "{refused}");
}
