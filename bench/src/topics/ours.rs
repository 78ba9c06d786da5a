//! Subscribers and a publisher of the server's topics, each a client of its own over QUIC.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tickwire_client::{Client, ClientEvent, ConnectOptions, SubscribeOptions, TopicEvent};
use tickwire_server::config::List;
use tickwire_shared::NoGame;
use tickwire_shared::control::{ServerFrame, SubscriptionId, TopicDelivery};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::load::{Load, TOPIC};
use super::tally::DeliveryTally;
use crate::serve::{self, ServeArguments};

/// Longest time to connect and to subscribe, when a thousand do so at once.
const SUBSCRIBE_TIME: Duration = Duration::from_secs(60);
/// Longest time between two updates of a client.
const LOOK: Duration = Duration::from_millis(100);
/// Connections opened at once.
const CONNECTING_MAX: usize = 16;

/// The server of `topics`: without a game, for everyone, and without a bound of rates that one machine's load would reach.
pub(crate) fn serve(arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    serve::run_with::<NoGame>(arguments, |config| {
        config.topics.enabled = true;
        config.topics.publish = List::of(&["**"]);
        config.topics.subscribe = List::of(&["**"]);
        (config.topics.publish_hz, config.topics.publish_burst) = (100_000, 100_000);
        (config.handshakes_prefix_hz, config.handshakes_prefix_burst) = (100_000, 100_000);
        config.prefix_share_percent = 100;
    })
}

/// What a subscriber got, and why its session ended if it did.
#[derive(Debug)]
pub(super) struct Listened {
    pub(super) tally: DeliveryTally,
    pub(super) error: Option<String>,
}

/// Starts all subscribers of a run.
pub(super) fn listen_all(
    load: &Arc<Load>,
    target: &str,
    delivery: TopicDelivery,
) -> JoinSet<anyhow::Result<Listened>> {
    let gate = Arc::new(Semaphore::new(CONNECTING_MAX));
    let mut listening = JoinSet::new();
    for _ in 0..load.subscribers {
        let (load, gate, target) = (Arc::clone(load), Arc::clone(&gate), target.to_owned());
        listening.spawn(async move {
            let client = {
                let _turn = gate.acquire().await.context("the gate is closed")?;
                let (client, _) = subscribed(&target, TOPIC, delivery).await?;
                client
            };
            Ok(listen(&load, client).await)
        });
    }
    listening
}

/// A client of a server without a game.
pub(super) async fn connected(target: &str) -> anyhow::Result<Client<NoGame>> {
    let options = ConnectOptions { timeout: SUBSCRIBE_TIME, ..ConnectOptions::default() };
    Ok(Client::connect(target, options).await?)
}

/// A client that has subscribed, and its subscription.
pub(super) async fn subscribed(
    target: &str,
    topic: &str,
    delivery: TopicDelivery,
) -> anyhow::Result<(Client<NoGame>, SubscriptionId)> {
    let mut client = connected(target).await?;
    let subscription = subscribe(&mut client, topic, delivery).await?;
    Ok((client, subscription))
}

/// Subscribes to a topic, and waits until it is so.
pub(super) async fn subscribe(
    client: &mut Client<NoGame>,
    topic: &str,
    delivery: TopicDelivery,
) -> anyhow::Result<SubscriptionId> {
    let options = SubscribeOptions { delivery, ..SubscribeOptions::default() };
    let (subscription, asked) = client.subscribe(topic, options);
    let answered = async {
        loop {
            client.wait(LOOK).await;
            client.update();
            while let Some(event) = client.poll_event() {
                match event {
                    ClientEvent::Control(ServerFrame::Done { request }) if request == asked => {
                        return Ok(subscription);
                    }
                    event => check(&event)?,
                }
            }
        }
    };
    timeout(SUBSCRIBE_TIME, answered).await.context("no answer to a subscription in time")?
}

/// Counts what comes until the end of the run.
async fn listen(load: &Load, mut client: Client<NoGame>) -> Listened {
    load.note_ready();
    let (mut tally, mut error) = (load.tally(), None);
    let over = load.over();
    tokio::pin!(over);
    while error.is_none() {
        tokio::select! {
            biased;
            () = client.wait(LOOK) => {}
            () = &mut over => break,
        }
        client.update();
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Topic(TopicEvent::Message { message, .. }) => {
                    load.take(&message.payload, &mut tally);
                }
                event => error = error.or(check(&event).err().map(|error| format!("{error:#}"))),
            }
        }
    }
    client.close().await;
    Listened { tally, error }
}

/// Fails if something was refused, or the session is over.
pub(super) fn check(
    event: &ClientEvent<<NoGame as tickwire_shared::Simulation>::Event>,
) -> anyhow::Result<()> {
    match event {
        ClientEvent::Control(ServerFrame::Refused { code, text, .. }) => {
            bail!("refused: {code:?}: {text}")
        }
        ClientEvent::Over { code, text } => bail!("a session ended: {code:?}: {text}"),
        _ => Ok(()),
    }
}

/// Publishes to a topic.
#[derive(Debug)]
pub(super) struct Publisher {
    client: Client<NoGame>,
}

impl Publisher {
    pub(super) async fn connect(target: &str) -> anyhow::Result<Self> {
        Ok(Publisher { client: connected(target).await? })
    }

    /// Publishes a message, and looks at the answers to the ones before.
    ///
    /// # Errors
    /// If one was refused, or the session is over.
    pub(super) fn publish(&mut self, topic: &str, payload: &[u8]) -> anyhow::Result<()> {
        self.client.update();
        while let Some(event) = self.client.poll_event() {
            check(&event)?;
        }
        self.client.publish(topic, "", payload);
        Ok(())
    }

    pub(super) async fn close(self) {
        self.client.close().await;
    }
}
