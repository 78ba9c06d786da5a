//! Floods by sessions that follow the protocol.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use tickwire_arena::rules::Arena;
use tickwire_client::{Client, ClientEvent, ConnectOptions, Trust};
use tickwire_shared::control::{RoomChoice, ServerFrame};

use super::counts::Counts;
use super::{Flood, ROOM, namespace};

/// A session of the attacker's.
pub(super) type Peer = Client<Arena>;

const LOOK: Duration = Duration::from_millis(2);
const KICK_PAUSE: Duration = Duration::from_millis(50);
const ANSWER_TIME: Duration = Duration::from_secs(10);
const CHATS_AT_ONCE: u64 = 20;

/// Joins the bots' room before them, for the flood that must be first there.
pub(super) async fn before_the_bots(flood: Flood, port: u16) -> anyhow::Result<Option<Peer>> {
    if flood != Flood::Kicks {
        return Ok(None);
    }
    let mut peer = connect(port, &options(port)?).await?;
    peer.join(RoomChoice::Named(ROOM.to_owned()), "first");
    wait(&mut peer, |frame| matches!(frame, ServerFrame::Joined { .. })).await?;
    Ok(Some(peer))
}

/// The attacker's connection settings.
pub(super) fn options(port: u16) -> anyhow::Result<ConnectOptions> {
    #[derive(Deserialize)]
    struct Certificate {
        hashes: Vec<Hash>,
    }
    #[derive(Deserialize)]
    struct Hash {
        value: String,
    }
    let url = format!("http://127.0.0.1:{port}/certificate.json");
    let certificate: Certificate = ureq::get(&url).call()?.body_mut().read_json()?;
    let hashes = certificate.hashes.iter().filter_map(|hash| {
        let bytes = BASE64.decode(&hash.value).ok()?;
        <[u8; 32]>::try_from(bytes).ok()
    });
    Ok(ConnectOptions {
        trust: Trust::Hashes(hashes.collect()),
        client: "attacker".to_owned(),
        timeout: Duration::from_secs(5),
        ..ConnectOptions::default()
    })
}

pub(super) async fn connect(port: u16, options: &ConnectOptions) -> anyhow::Result<Peer> {
    let address = namespace::address(0, port);
    Ok(Client::connect(&format!("quic://{address}"), options.clone()).await?)
}

/// Joins and leaves rooms, a different one each time if `elsewhere`.
pub(super) async fn come_and_go(
    peer: &mut Peer,
    number: usize,
    elsewhere: bool,
    counts: &Counts,
    end: Instant,
) -> anyhow::Result<()> {
    for turn in 0.. {
        if Instant::now() >= end {
            break;
        }
        let room = if elsewhere { format!("r-{number}-{turn}") } else { ROOM.to_owned() };
        peer.join(RoomChoice::Named(room), &format!("a{number}-{turn}"));
        let answer = wait(peer, |frame| {
            matches!(frame, ServerFrame::Joined { .. } | ServerFrame::Refused { .. })
        });
        if let ServerFrame::Refused { .. } = answer.await? {
            counts.refuse();
            continue;
        }
        counts.add(1);
        peer.leave();
        let left = |frame: &ServerFrame| matches!(frame, ServerFrame::Left { .. });
        wait(peer, left).await?;
    }
    Ok(())
}

/// Chats as fast as the connection permits.
pub(super) async fn chat(
    peer: &mut Peer,
    number: usize,
    counts: &Counts,
    end: Instant,
) -> anyhow::Result<()> {
    peer.join(RoomChoice::Named(ROOM.to_owned()), &format!("chatter{number}"));
    wait(peer, |frame| matches!(frame, ServerFrame::Joined { .. })).await?;
    while Instant::now() < end {
        for _ in 0..CHATS_AT_ONCE {
            peer.say("the same again and again");
        }
        counts.add(CHATS_AT_ONCE);
        peer.update();
        while let Some(event) = peer.poll_event() {
            if let ClientEvent::Over { text, .. } = event {
                bail!(text);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Removes every other member.
pub(super) async fn kick_all(peer: &mut Peer, counts: &Counts, end: Instant) -> anyhow::Result<()> {
    while Instant::now() < end {
        peer.update();
        let others = peer.members().map(|member| member.player);
        let others: Vec<_> = others.filter(|player| *player != peer.player()).collect();
        for player in others {
            peer.kick(player, "go away");
            counts.add(1);
        }
        while let Some(event) = peer.poll_event() {
            match event {
                ClientEvent::Control(ServerFrame::Refused { .. }) => counts.refuse(),
                ClientEvent::Over { text, .. } => bail!(text),
                _ => {}
            }
        }
        tokio::time::sleep(KICK_PAUSE).await;
    }
    Ok(())
}

/// Stays as long as the server permits.
pub(super) async fn stay(peer: &mut Peer, end: Instant) -> anyhow::Result<()> {
    while Instant::now() < end {
        peer.update();
        if peer.is_over() {
            bail!("the session ended");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

async fn wait(peer: &mut Peer, wanted: fn(&ServerFrame) -> bool) -> anyhow::Result<ServerFrame> {
    let answer = async {
        loop {
            peer.update();
            while let Some(event) = peer.poll_event() {
                match event {
                    ClientEvent::Control(frame) if wanted(&frame) => return Ok(frame),
                    ClientEvent::Over { text, .. } => bail!(text),
                    _ => {}
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(ANSWER_TIME, answer).await.context("no answer")?
}
