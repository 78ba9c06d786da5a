//! The control stream: the hello, then rooms.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tickwire_shared::Simulation;
use tickwire_shared::command::COMMAND_BYTES_MAX;
use tickwire_shared::control::{
    ClientFrame, CloseCode, Redacted, RefuseCode, RequestId, RoomChoice, RoomQuery, ServerFrame,
};
use tokio::time::timeout_at;

use super::frames::{FrameStream, NoFrame};
use super::hello::greet;
use super::order::SentAgain;
use super::served::{CountedFrames, ResumeRequest, Served};
use super::{ClientLink, Handshake, ServerState, SessionEnd, SessionScope, now, send_message};
use crate::config::ServerConfig;
use crate::identity::Identity;
use crate::room::{self, CommandFate, JoinProfile, ResumeRight, SecretDigest, ToRoom};
use crate::rooms::{Membership, RoomRefusal};
use crate::scheduler::Mailbox;
use crate::token_bucket::TokenBucket;
use crate::transport::TransportSession;

/// Said of a command whose refusal was lost.
const REFUSED_BEFORE: &str = "the command was refused before the server was started again; send another one if it is still wanted";

/// Serves the control stream of one connection to its end.
pub(super) async fn serve<S: Simulation>(
    host: &Arc<ServerState<S>>,
    link: &Arc<ClientLink<S::Input>>,
    session: &mut SessionScope<S>,
    (transport, frames): (&TransportSession, &mut FrameStream),
    handshake: &mut Option<Handshake>,
) -> Served {
    if let Some(handshake) = &handshake
        && !link.is_greeted()
    {
        match timeout_at(handshake.deadline, frames.next_on::<ClientFrame>(transport)).await {
            Ok(Ok(ClientFrame::Resume { player, secret, run, received, unanswered, next })) => {
                let counted = CountedFrames::new(run, received);
                let sent_again = SentAgain::new(unanswered, next);
                let request = ResumeRequest { player, secret, counted, sent_again };
                return request.admit(host);
            }
            Ok(Ok(first)) => {
                let first = (first, handshake.deadline);
                if let Err(end) = greet(host, link, session, first).await {
                    return Served::Over(end);
                }
            }
            Ok(Err(NoFrame::Finished)) => return Served::Over(CloseCode::Normal.into()),
            Ok(Err(NoFrame::Lost)) => return Served::Lost,
            Ok(Err(NoFrame::GivenUp)) => return Served::Over(SessionEnd::given_up()),
            Ok(Err(NoFrame::End(end))) => return Served::Over(end),
            Err(_) => return Served::Over(CloseCode::HandshakeTimeout.into()),
        }
    }
    *handshake = None;
    loop {
        let frame = match frames.next_on::<ClientFrame>(transport).await {
            Ok(frame) => frame,
            // A client that ends its control stream leaves, as by a goodbye.
            Err(NoFrame::Finished) => {
                link.all_answered().await;
                return Served::Over(CloseCode::Normal.into());
            }
            Err(NoFrame::Lost) => return Served::Lost,
            Err(NoFrame::GivenUp) => return Served::Over(SessionEnd::given_up()),
            Err(NoFrame::End(end)) => return Served::Over(end),
        };
        let is_too_fast = session.rates.wait_for(&frame).await;
        let request = frame.request();
        if request.is_some_and(|request| link.was_done(request)) {
            continue;
        }
        let turn = async {
            match request {
                Some(request) => Some(link.order.turn(request).await),
                None => None,
            }
        };
        let turn = tokio::select! {
            biased;
            turn = turn => turn,
            _ = transport.closed() => return Served::Lost,
        };
        match frame {
            ClientFrame::Command { request, .. }
                if is_too_fast && link.fate_before_restart(request).is_none() =>
            {
                host.counters.commands_refused.increment();
                refuse(link, request, too_fast(&host.config));
            }
            frame => {
                if let Err(end) = handle(host, link, frame).await {
                    return Served::Over(end);
                }
            }
        }
        drop(turn);
    }
}

/// Carries out a frame's request; returns once it is done and answered.
async fn handle<S: Simulation>(
    host: &Arc<ServerState<S>>,
    link: &Arc<ClientLink<S::Input>>,
    frame: ClientFrame,
) -> Result<(), SessionEnd> {
    // Commands queue up in the room; any other request waits until they have taken effect.
    if !matches!(frame, ClientFrame::Command { .. } | ClientFrame::Received(_)) {
        link.all_answered().await;
    }
    match frame {
        ClientFrame::Hello { .. } | ClientFrame::Resume { .. } => {
            return Err(CloseCode::SecondHello.into());
        }
        ClientFrame::Received(received) => {
            if !link.reliable.acknowledge(received) {
                let text = "more frames were counted than were sent; update the client";
                return Err(SessionEnd::new(CloseCode::MalformedFrame, text));
            }
        }
        ClientFrame::Goodbye { .. } => return Err(CloseCode::Normal.into()),
        ClientFrame::Join { request, room, name, options, password } => {
            let by = (link.player, link.transport().remote_address().ip());
            // Options that are too long never reach the room.
            let checked = room::options::check_length(&host.config.room, &options);
            let room = own_room(link, room);
            let account = link.identity().account.as_ref().map(|account| &*account.id);
            let find = || {
                checked?;
                host.rooms.play(&room?, &password, by, account)
            };
            let profile = host.load_profile(link, &name).await;
            enter(link, request, (name, options, profile), find).await;
        }
        ClientFrame::Spectate { request, room, name, password } => {
            let chosen = own_room(link, RoomChoice::Named(room.clone()));
            let find = || chosen.and_then(|_| host.rooms.watch(&room, &password));
            let allowed = host.check_name(link, &name).map(|()| None);
            enter(link, request, (name, Redacted::default(), allowed), find).await;
        }
        ClientFrame::Leave { request } => {
            let (player, code) = (link.player, CloseCode::Normal);
            let leave = ToRoom::Leave { request: Some(request), player, code };
            ask_own_room(link, request, leave).await;
        }
        ClientFrame::ListRooms { request, query } => {
            let (rooms, found) = host.rooms.list(&query);
            link.send_control(ServerFrame::Rooms { request, rooms, found });
        }
        ClientFrame::SubscribeRooms { request, query } => {
            let list = |query: &RoomQuery| host.rooms.list(query);
            // Under the feed's lock, so that no change comes before the list.
            let answer = |rooms, found| {
                link.send_control(ServerFrame::Rooms { request, rooms, found });
            };
            if let Err(refusal) = host.rooms.feed.subscribe(link.player, query, list, answer) {
                refuse(link, request, refusal);
            }
        }
        ClientFrame::UnsubscribeRooms { request } => {
            host.rooms.feed.unsubscribe(link.player);
            link.send_control(ServerFrame::Done { request });
        }
        ClientFrame::Kick { request, player, reason } => {
            let kick = ToRoom::Kick { request, by: link.player, player, reason };
            ask_own_room(link, request, kick).await;
        }
        ClientFrame::Command { request, kind, fields } => {
            take_command(host, link, request, (kind, fields)).await;
        }
    }
    Ok(())
}

/// Hands a command to the client's room, or answers it here.
async fn take_command<S: Simulation>(
    host: &ServerState<S>,
    link: &Arc<ClientLink<S::Input>>,
    request: RequestId,
    (kind, fields): (u8, Vec<u8>),
) {
    match link.fate_before_restart(request) {
        None => {}
        Some(CommandFate::Stepped) => return link.send_control(ServerFrame::Done { request }),
        Some(CommandFate::Refused) => {
            host.counters.commands_refused.increment();
            let text = REFUSED_BEFORE.to_owned();
            return refuse(link, request, RoomRefusal { code: RefuseCode::CommandTooFast, text });
        }
    }
    if fields.len() > COMMAND_BYTES_MAX {
        let text = format!("no command has more than {COMMAND_BYTES_MAX} bytes of fields");
        host.counters.commands_refused.increment();
        return refuse(link, request, RoomRefusal { code: RefuseCode::CommandInvalid, text });
    }
    let command = ToRoom::Command { request, player: link.player, kind, fields };
    if !send_to_own_room(link, request, command).await {
        host.counters.commands_refused.increment();
    }
}

/// The chosen room, or the only one that the client's token opens.
fn own_room<I>(link: &ClientLink<I>, choice: RoomChoice) -> Result<RoomChoice, RoomRefusal> {
    let Some(own) = &link.identity().room else { return Ok(choice) };
    match choice {
        RoomChoice::Quick => Ok(RoomChoice::Named(own.clone())),
        RoomChoice::Named(name) if name == *own => Ok(RoomChoice::Named(name)),
        RoomChoice::Named(_) | RoomChoice::Create { .. } => {
            let text = format!("your token is for the room {own:?}; join that one by its name");
            Err(RoomRefusal { code: RefuseCode::TokenForOtherRoom, text })
        }
    }
}

/// The profile of an account that joins, or why it cannot.
type ProfileForJoin = Result<Option<Box<JoinProfile>>, RoomRefusal>;

/// Asks for a place in a room.
async fn enter<I>(
    link: &Arc<ClientLink<I>>,
    request: RequestId,
    (name, options, profile): (String, Redacted, ProfileForJoin),
    find: impl FnOnce() -> Result<Membership<I>, RoomRefusal>,
) {
    if link.membership().is_some() {
        let text = "you are in a room already; leave it first".to_owned();
        return refuse(link, request, RoomRefusal { code: RefuseCode::AlreadyInRoom, text });
    }
    let (membership, profile) = match profile.and_then(|it| Ok((find()?, it))) {
        Ok(both) => both,
        Err(refusal) => return refuse(link, request, refusal),
    };
    let room = Arc::clone(membership.room());
    let spectator = membership.spectator();
    link.enter(membership);
    let datagram_bytes_max = link.tell_datagram_bytes_max();
    let player = link.player;
    let Identity { account, name: own_name, room: own_room, .. } = link.identity();
    let resume = link.secret().map(|secret| ResumeRight {
        secret: SecretDigest::of(&secret.0),
        is_named: own_name.is_some(),
        is_bound: own_room.is_some(),
    });
    // The authenticator may set the name.
    let name = own_name.clone().unwrap_or(name);
    link.set_display_name(name.clone());
    let join = ToRoom::Join {
        request,
        player,
        name,
        account: account.clone(),
        profile,
        spectator,
        options,
        datagram_bytes_max,
        resume: resume.map(Box::new),
        last_seat: link.last_seat(),
    };
    send_to_room(link, &room, join).await;
    link.all_answered().await;
}

/// Hands `message` to the client's room and waits for the room's answer.
async fn ask_own_room<I>(link: &Arc<ClientLink<I>>, request: RequestId, message: ToRoom<I>) {
    send_to_own_room(link, request, message).await;
    link.all_answered().await;
}

/// Refuses in the place of a room where the client is in none: then it is `false`.
async fn send_to_own_room<I>(
    link: &Arc<ClientLink<I>>,
    request: RequestId,
    message: ToRoom<I>,
) -> bool {
    let membership = link.membership().as_ref().map(Arc::clone);
    let Some(membership) = membership else {
        let text = "you are in no room; join one first".to_owned();
        refuse(link, request, RoomRefusal { code: RefuseCode::NotInRoom, text });
        return false;
    };
    send_to_room(link, membership.room(), message).await;
    true
}

/// Hands `message`, which gets one answer, to a room.
async fn send_to_room<I>(link: &Arc<ClientLink<I>>, room: &Arc<Mailbox<I>>, message: ToRoom<I>) {
    link.ask_room();
    send_message(room, message).await;
    // The room failed after it was found; its notice to the members may have missed this one.
    if room.is_closed() {
        link.end(CloseCode::RoomFailed);
    }
}

/// Rates of a client's requests.
pub(super) struct FrameRates {
    frames: TokenBucket,
    joins: TokenBucket,
    commands: TokenBucket,
}

impl FrameRates {
    pub(super) fn new(config: &ServerConfig, now: Instant) -> Self {
        FrameRates {
            frames: TokenBucket::new(config.control_frames_burst, config.control_frames_hz, now),
            joins: TokenBucket::new(config.joins_burst, config.joins_hz, now),
            commands: TokenBucket::new(config.commands_burst, config.commands_hz, now),
        }
    }

    /// Waits until `frame` may be handled. Returns true for a command that exceeds its rate.
    async fn wait_for(&mut self, frame: &ClientFrame) -> bool {
        let is_command = matches!(frame, ClientFrame::Command { .. });
        if is_command && self.commands.take(now()) {
            return false;
        }
        wait(&mut self.frames).await;
        if let ClientFrame::Join { .. } | ClientFrame::Spectate { .. } = frame {
            wait(&mut self.joins).await;
        }
        is_command
    }
}

async fn wait(bucket: &mut TokenBucket) {
    while !bucket.take(now()) {
        tokio::time::sleep(FRAME_PAUSE).await;
    }
}

fn too_fast(config: &ServerConfig) -> RoomRefusal {
    let most = config.commands_hz;
    let text = format!("at most {most} commands in a second; wait a moment");
    RoomRefusal { code: RefuseCode::CommandTooFast, text }
}

fn refuse<I>(link: &ClientLink<I>, request: RequestId, RoomRefusal { code, text }: RoomRefusal) {
    link.send_control(ServerFrame::Refused { request, code, text });
}

/// Pause in reading a client that sends frames too fast.
pub(super) const FRAME_PAUSE: Duration = Duration::from_millis(50);
