//! What must hold in every tick, in every frame, and once all is healed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail, ensure};
use tickwire_shared::PlayerId;
use tickwire_shared::control::CloseCode;

use super::client::{PastLife, SimClient};
use super::life::{Heard, HeardChat};
use super::link::SimLink;
use super::process::{GRACE_MS, Process};
use super::schedule::Fault;
use super::state::SimState;
use super::truth::Truth;

/// Milliseconds after the end of a fault in which a session may end by it.
const AFTER_MS: u64 = 20_000;
/// Milliseconds that the end of a session takes to reach its client.
const NEWS_MS: u64 = 8_000;
/// Frames that wait for a client as long end its session.
const SLOW_MS: u64 = 3_000;
/// Events that may be on their way at the end.
const EVENTS_MAX: u32 = 8;

/// Holds a client's world to what was there, and its statistics to what may be.
pub(crate) fn check_client(
    client: &SimClient,
    truth: &Truth,
    epoch: u32,
    now_ms: u64,
) -> anyhow::Result<()> {
    let stats = client.session.stats(std::time::Duration::from_millis(now_ms));
    ensure!(stats.snapshots_malformed == 0, "a snapshot that cannot be read");
    ensure!(stats.snapshots_undecodable == 0, "a snapshot by a baseline that the client lacks");
    let Some(room) = client.session.room() else { return Ok(()) };
    if client.life.stay.as_ref().is_some_and(|stay| stay.epoch == epoch) {
        truth.check(client.life.player, room)?;
    }
    Ok(())
}

/// No client that is in the room lacks its seat there, and commands come in order, once.
pub(crate) fn check_seats(state: &mut SimState) -> anyhow::Result<()> {
    let (epoch, now_ms) = (state.process.epoch, state.now_ms);
    let Some((tick, game)) = state.process.game() else { return Ok(()) };
    for client in &mut state.clients {
        let is_in = client.life.stay.as_ref().is_some_and(|it| it.epoch == epoch);
        let is_connected = client.link.as_ref().is_some_and(SimLink::is_open);
        let lacks = is_in
            && is_connected
            && !client.rejoins
            && !client.session.is_reconnecting()
            && !game.players.contains_key(&client.life.player);
        // The news of a session's end takes its time.
        client.unseated_ms = lacks.then(|| client.unseated_ms.unwrap_or(now_ms));
        let is_new = client.unseated_ms.is_none_or(|since_ms| now_ms - since_ms < NEWS_MS);
        ensure!(is_new, "player {} has no seat in tick {}", client.life.player.0, tick.0);
    }
    for (name, orders) in game.orders() {
        let rises = orders.is_sorted_by(|a, b| a < b);
        ensure!(rises, "commands of {name} came as {orders:?}");
    }
    Ok(())
}

/// No more waits than may.
pub(crate) fn check_queues(state: &SimState) -> anyhow::Result<()> {
    let Some(server) = &state.process.server else { return Ok(()) };
    let (waiting, most) = server.waiting_bytes();
    ensure!(waiting <= most, "{waiting} bytes wait for a client, {most} may");
    let (differ, unfollowed) = server.rooms_not_followed();
    ensure!(differ + unfollowed == 0, "the follower finds another world than the live room");
    Ok(())
}

/// Holds everything to what it must be at the end.
pub(crate) fn check(state: &SimState) -> anyhow::Result<()> {
    let (_, game) = state.process.game().context("there is no room")?;
    let events_dropped: u64 = match &state.process.server {
        Some(server) => server.rooms().map(|room| room.events_dropped()).sum(),
        None => bail!("there is no server"),
    };
    ensure!(events_dropped == 0, "{events_dropped} events were dropped");
    let mut seats: BTreeSet<PlayerId> = game.players.keys().copied().collect();
    for client in &state.clients {
        let number = client.number;
        check_end(state, client).with_context(|| format!("client {number}"))?;
        check_orders(&state.process, client)?;
        let player = client.life.player;
        ensure!(seats.remove(&player), "client {number} has no seat of its own");
        for past in &client.past {
            check_past(state, past).with_context(|| format!("client {number}"))?;
            // Its seat may still wait for it.
            if state.now_ms < past.at_ms + GRACE_MS + AFTER_MS {
                seats.remove(&past.life.player);
            }
        }
    }
    ensure!(seats.is_empty(), "seats {seats:?} are nobody's");
    check_saved(state)?;
    check_chat(state)
}

fn check_end(state: &SimState, client: &SimClient) -> anyhow::Result<()> {
    let life = &client.life;
    ensure!(!client.session.is_reconnecting(), "it is not connected again");
    let room = client.session.room().context("it is in no room")?;
    state.truth.check_whole(life.player, room)?;
    ensure!(life.unanswered() == 0, "requests are not answered: {:?}", life.asked);
    let stay = life.stay.as_ref().context("it has not joined")?;
    let (_, game) = state.process.game().context("there is no room")?;
    let keeper = game.players.get(&life.player).context("it has no seat")?;
    let now = [keeper.told, game.told];
    for (kind, (has, wanted)) in stay.told.iter().zip(now).enumerate() {
        let is_near = has.map_or(wanted <= EVENTS_MAX, |has| wanted - has <= EVENTS_MAX);
        ensure!(is_near, "event {has:?} of kind {kind} is its last, {wanted} the room's");
    }
    Ok(())
}

/// Every command that was answered was stepped, was refused, or was done in a time that a restart took back, in all sessions and
/// all stays of a client.
fn check_orders(process: &Process, client: &SimClient) -> anyhow::Result<()> {
    let (_, game) = process.game().context("there is no room")?;
    let orders = game.orders();
    for (number, life) in client.lives().enumerate() {
        let name = client.name_in(number);
        let none = Vec::new();
        let stepped: BTreeSet<u32> = orders.get(&name).unwrap_or(&none).iter().copied().collect();
        for order in 1..=life.orders {
            let (is_stepped, is_lost) = (stepped.contains(&order), process.is_lost(&name, order));
            let (is_done, is_refused) = (life.done.contains(&order), life.refused.contains(&order));
            ensure!(
                !(is_refused && is_stepped) && (!is_done || is_stepped || is_lost),
                "command {order} of {name}: done {is_done}, refused {is_refused}, stepped {is_stepped}, lost by a restart {is_lost}"
            );
        }
    }
    Ok(())
}

/// A session ends only by a fault that ends sessions.
fn check_past(state: &SimState, past: &PastLife) -> anyhow::Result<()> {
    let is_near =
        |fault: &Fault| (fault.begin_ms()..fault.end_ms() + AFTER_MS).contains(&past.at_ms);
    let near: Vec<&Fault> =
        state.plan.faults.iter().map(|it| &it.fault).filter(|it| is_near(it)).collect();
    let lasts = |fault: &&Fault| match fault {
        Fault::Restart { down_ms, .. } => *down_ms,
        fault => fault.end_ms() - fault.begin_ms(),
    };
    let lasted_ms: u64 = near.iter().map(lasts).sum();
    let is_caused = match past.code {
        // A restart found no seat of its own: it had none, or one that is younger than the last flush.
        CloseCode::ResumeRefused => {
            state.process.has_lost(past.life.player, past.life.began, past.epoch)
        }
        CloseCode::TooSlow => lasted_ms >= SLOW_MS,
        CloseCode::ConnectionLost => lasted_ms >= GRACE_MS / 2,
        _ => false,
    };
    ensure!(is_caused, "its session ended at {} ms: {:?} {}", past.at_ms, past.code, past.text);
    Ok(())
}

/// What was saved is in history, also after restarts, and a message that is said again has the number that it had.
fn check_saved(state: &SimState) -> anyhow::Result<()> {
    let lives = || state.clients.iter().flat_map(SimClient::lives);
    let saved: BTreeSet<u64> = lives().flat_map(|life| &life.saved).copied().collect();
    for (epoch, page) in lives().flat_map(|life| &life.history) {
        let (Some(first), Some(last)) = (page.first(), page.last()) else { continue };
        let missing = saved.range(first..=last).find(|id| !page.contains(id));
        ensure!(
            missing.is_none(),
            "message {missing:?} was saved, and process {epoch} has lost it"
        );
    }
    let heard: BTreeMap<u64, &Heard> = lives()
        .flat_map(|life| life.chat.values())
        .flat_map(|chat| &chat.heard)
        .map(|(id, heard)| (*id, heard))
        .collect();
    for (id, again) in lives().flat_map(|life| &life.answered_again) {
        let before = heard.get(id);
        ensure!(
            saved.contains(id) && before.is_none_or(|before| *before == again),
            "message {id} is answered again as {again:?}, it was {before:?}"
        );
    }
    Ok(())
}

/// From each of the server's processes, whoever was told of one message was told of all that followed, while it was a member.
fn check_chat(state: &SimState) -> anyhow::Result<()> {
    let mut said: BTreeMap<u32, BTreeMap<u64, &Heard>> = BTreeMap::new();
    for client in &state.clients {
        let lives = client.past.iter().map(|past| &past.life).chain([&client.life]);
        for (epoch, chat) in lives.flat_map(|life| &life.chat) {
            let all = said.entry(*epoch).or_default();
            for (id, heard) in &chat.heard {
                let first = all.insert(*id, heard);
                let is_same = first.is_none_or(|first| first == heard);
                let number = client.number;
                ensure!(is_same, "client {number} heard {heard:?} as {id}, another {first:?}");
            }
        }
    }
    for client in &state.clients {
        let lives =
            client.past.iter().map(|past| (&past.life, false)).chain([(&client.life, true)]);
        for (life, is_on) in lives {
            for (epoch, chat) in &life.chat {
                let is_on = is_on && *epoch == state.process.epoch;
                check_heard(client, chat, &said[epoch], is_on)
                    .with_context(|| format!("client {} in process {epoch}", client.number))?;
            }
        }
    }
    Ok(())
}

fn check_heard(
    client: &SimClient,
    chat: &HeardChat,
    all: &BTreeMap<u64, &Heard>,
    is_on: bool,
) -> anyhow::Result<()> {
    let Some((first, _)) = chat.heard.first_key_value() else { return Ok(()) };
    for (id, heard) in all.range(first..) {
        if chat.heard.contains_key(id) {
            continue;
        }
        let is_excused = match chat.heard.range(id..).next() {
            // It was out of the room, and joined again.
            Some((_, next)) => {
                let own = format!("client {}.", client.number);
                next.from.is_none() && next.text.starts_with(&own) && next.text.ends_with("joined")
            }
            None => !is_on,
        };
        ensure!(is_excused, "chat {id} was not heard: {heard:?}");
    }
    Ok(())
}
