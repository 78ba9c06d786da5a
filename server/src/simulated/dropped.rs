//! What is left of a server that was dropped.

use std::sync::Weak;

use tickwire_client::session::Session;
use tickwire_shared::{
    Capture, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
};

use super::*;

#[derive(Clone, Copy, Default, PartialEq, Input)]
struct Breeze {}

#[derive(Replicate)]
struct Grass {}

/// A game in which nothing happens.
#[derive(serde::Serialize, serde::Deserialize)]
struct Meadow;

#[tickwire_shared::game]
impl Simulation for Meadow {
    const NAME: &'static str = "meadow";
    type Input = Breeze;
    type Entity = Grass;

    fn new(_room: &NewRoom<Self>) -> Self {
        Meadow
    }

    fn join(&mut self, _player: &NewPlayer<Self>) {}

    fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

    fn step(&mut self, _inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {}

    fn capture(&self, _world: &mut Capture<Grass>) {}
}

#[tokio::test]
async fn nothing_is_left_of_a_server_that_is_dropped_with_its_sessions() {
    let mut server = SimulatedServer::<Meadow>::start(ServerConfig::default(), 1).unwrap();
    let wire = server.connect(SocketAddr::from(([10, 0, 0, 1], 1)), 1200).unwrap();
    let streams = [wire.open(), wire.open()];
    let mut session = Session::new("test", None);
    wire.write(streams[0], &session.take_control());
    wire.write(streams[1], &session.take_chat());
    let mut answer = Vec::new();
    while answer.is_empty() {
        tokio::task::yield_now().await;
        answer = wire.take(streams[0], 1000);
    }
    wire.datagram(vec![0]);
    let host: Weak<_> = Arc::downgrade(&server.host);
    drop(server);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(host.strong_count(), 0, "its connection holds it");
}
