use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tickwire_client::{Client, ClientEvent, ConnectOptions};
use tickwire_server::{Server, ServerConfig, ServerError};
use tickwire_shared::control::{RoomChoice, ServerFrame};
use tickwire_shared::predict::{PredictEntity, PredictedStep};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

type Running = JoinHandle<Result<(), ServerError>>;

/// Updates until `done`, half a minute at most.
async fn until(client: &mut Client<Plane>, mut done: impl FnMut(&mut Client<Plane>) -> bool) {
    for _ in 0..6000 {
        client.update();
        if done(client) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not come about; {:?}", client.stats());
}

/// A server of a game: where it is, what stops it, and its task.
async fn serve<S: Simulation>(certs: &Path) -> (SocketAddr, oneshot::Sender<()>, Running) {
    let config = ServerConfig {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        http: false,
        certs_dir: certs.to_owned(),
        ..ServerConfig::default()
    };
    let server = Server::<S>::bind(config).await.unwrap();
    let address = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    (address, stop, running)
}

async fn join(address: SocketAddr, name: &str) -> Client<Plane> {
    let target = format!("quic://{address}");
    let mut client = Client::<Plane>::connect(&target, ConnectOptions::default()).await.unwrap();
    client.join(RoomChoice::Named("plane".to_owned()), name);
    let joined = |client: &mut Client<Plane>| {
        let event = client.poll_event();
        matches!(event, Some(ClientEvent::Control(ServerFrame::Joined { .. })))
    };
    until(&mut client, joined).await;
    client
}

#[tokio::test]
async fn two_clients_see_each_other_walk() {
    let certs = std::env::temp_dir().join(format!("tickwire-minimal-{}", std::process::id()));
    let (address, stop, running) = serve::<Plane>(&certs).await;

    let mut walker = join(address, "walker").await;
    let mut watcher = join(address, "watcher").await;
    walker.set_input(Keys { right: 1, up: -1 });
    let walked = |dot: &Dot| dot.pos.x > 5.0 && dot.pos.y < -5.0;
    let id = EntityId::of_player(walker.player());
    until(&mut watcher, |watcher| {
        walker.update();
        watcher.entities().any(|seen| seen.id == id && !seen.mine && walked(&seen.entity))
    })
    .await;
    assert!(walker.entities().any(|seen| seen.mine && seen.id == id));
    assert!(watcher.entities().all(|seen| seen.id == id || seen.entity.pos == Vec2::ZERO));

    walker.close().await;
    until(&mut watcher, |watcher| watcher.entities().all(|seen| seen.id != id)).await;
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    std::fs::remove_dir_all(certs).unwrap();
}

mod older {
    use super::*;

    /// What an older version of the game showed.
    #[derive(Replicate)]
    pub(super) struct Dot {
        #[replicate(range = -100.0..=100.0, step = 0.01)]
        pub(super) pos: Vec2,
    }
}

/// The game as an older server has it.
#[state]
struct Older(Plane);

#[tickwire_shared::game]
impl Simulation for Older {
    const NAME: &'static str = Plane::NAME;
    type Input = Keys;
    type Entity = older::Dot;

    fn new(room: &NewRoom<Self>) -> Self {
        Older(Plane::new(&NewRoom::with_seed(room.seed)))
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        self.0.join(&NewPlayer::named(player.id, player.name));
    }

    fn leave(&mut self, player: PlayerId, reason: LeaveReason) {
        self.0.leave(player, reason);
    }

    fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        self.0.step(
            &Inputs::new(inputs.tick(), &inputs.iter().collect::<Vec<_>>()),
            &mut Outbox::default(),
        );
    }

    fn capture(&self, world: &mut Capture<older::Dot>) {
        for (player, dot) in &self.0.dots {
            world.show(EntityId::of_player(*player), older::Dot { pos: dot.pos }).owned_by(*player);
        }
    }
}

impl PredictEntity for Plane {
    fn predict_step(dot: &mut Dot, keys: Keys, _tick: &mut PredictedStep<'_, Self>) {
        dot.pos.x += f32::from(keys.right) * 20.0 / Self::TICK_HZ as f32;
    }
}

#[tokio::test]
async fn a_client_whose_rules_are_not_the_servers_says_that_it_predicts_nothing() {
    let certs = std::env::temp_dir().join(format!("tickwire-older-{}", std::process::id()));
    let (older, stop_older, running_older) = serve::<Older>(&certs).await;
    let (same, stop_same, running_same) = serve::<Plane>(&certs).await;
    for (address, differs) in [(older, true), (same, false)] {
        let target = format!("quic://{address}");
        let mut client =
            Client::<Plane>::connect(&target, ConnectOptions::default()).await.unwrap();
        client.predict();
        client.join(RoomChoice::Quick, "Ann");
        let mut told = Vec::new();
        until(&mut client, |client| {
            while let Some(event) = client.poll_event() {
                if let ClientEvent::NotPredicted { text } = event {
                    told.push(text);
                }
            }
            client.entities().count() > 0
        })
        .await;
        assert_eq!(told.len(), usize::from(differs), "{told:?}");
        assert!(told.iter().all(|text| text.contains("the same rules")), "{told:?}");
        client.close().await;
    }
    for (stop, running) in [(stop_older, running_older), (stop_same, running_same)] {
        stop.send(()).unwrap();
        running.await.unwrap().unwrap();
    }
    std::fs::remove_dir_all(certs).unwrap();
}
