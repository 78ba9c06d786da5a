//! The control stream: hello, then rooms.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tickwire_shared::Simulation;
use tickwire_shared::control::{ClientFrame, CloseCode, RefuseCode, ServerFrame};
use tickwire_shared::schema::Schema;
use tokio::time::timeout_at;

use super::bucket::Bucket;
use super::frames::Frames;
use super::link::truncate;
use super::{End, Handshake, Host, Link, send_command};
use crate::room::ToRoom;
use crate::rooms::{Membership, Refusal};
use crate::transport::RecvHalf;

/// Serves the control stream until it says how the session ends.
pub(super) async fn serve<S: Simulation>(
    host: &Arc<Host<S>>,
    link: &Arc<Link<S::Input>>,
    recv: &mut RecvHalf,
    handshake: Handshake,
) -> End {
    let mut frames = Frames::new(recv);
    let hello = match timeout_at(handshake.deadline, frames.next::<ClientFrame>()).await {
        Ok(Ok(Some(frame))) => frame,
        Ok(Ok(None)) => return CloseCode::Normal.into(),
        Ok(Err(end)) => return end,
        Err(_) => return CloseCode::HandshakeTimeout.into(),
    };
    let _place = match greet(host, link, hello) {
        Ok(place) => place,
        Err(end) => return end,
    };
    drop(handshake);
    let config = &host.config;
    let mut bucket =
        Bucket::new(config.control_frames_burst, config.control_frames_hz, Instant::now());
    loop {
        while !bucket.take(Instant::now()) {
            tokio::time::sleep(FRAME_PAUSE).await;
        }
        match frames.next::<ClientFrame>().await {
            Ok(Some(frame)) => {
                if let Err(end) = handle(host, link, frame).await {
                    return end;
                }
            }
            // A client that ends its control stream leaves.
            Ok(None) => return CloseCode::Normal.into(),
            Err(end) => return end,
        }
    }
}

/// Answers the first frame. The place on the server is held while the session lasts.
fn greet<S: Simulation>(
    host: &Arc<Host<S>>,
    link: &Link<S::Input>,
    frame: ClientFrame,
) -> Result<super::Place<S>, End> {
    let ClientFrame::Hello { mut client, mut schema } = frame else {
        return Err(CloseCode::TooEarly.into());
    };
    if let Some(schema) = &mut schema {
        // Ours codes; a client's is not even looked at.
        schema.model.clear();
    }
    check_schema(&host.schema, schema.as_ref())?;
    let place = super::Place::take(host).ok_or(CloseCode::ServerFull)?;
    truncate(&mut client, CLIENT_NAME_BYTES_MAX);
    tracing::info!(
        player = link.player.0,
        client,
        transport = link.session.transport_name(),
        address = %link.session.remote_address(),
        "session started"
    );
    link.greet();
    link.send_control(ServerFrame::Welcome {
        server: concat!("tickwire-server ", env!("CARGO_PKG_VERSION")).to_owned(),
        player: link.player,
        schema: host.schema.clone(),
    });
    Ok(place)
}

fn check_schema(ours: &Schema, theirs: Option<&Schema>) -> Result<(), End> {
    let Some(theirs) = theirs else { return Ok(()) };
    let checked = theirs.validate().and_then(|()| ours.accepts(theirs));
    checked.map_err(|error| End::new(CloseCode::SchemaMismatch, error.to_string()))
}

async fn handle<S: Simulation>(
    host: &Arc<Host<S>>,
    link: &Arc<Link<S::Input>>,
    frame: ClientFrame,
) -> Result<(), End> {
    match frame {
        ClientFrame::Hello { .. } => return Err(CloseCode::SecondHello.into()),
        ClientFrame::Goodbye => return Err(CloseCode::Normal.into()),
        ClientFrame::Join { room, name } => enter(link, name, || host.rooms.play(&room)).await,
        ClientFrame::Spectate { room, name } => enter(link, name, || host.rooms.watch(&room)).await,
        ClientFrame::Leave => {
            let player = link.player;
            ask_room(link, ToRoom::Leave { player, code: CloseCode::Normal }).await;
        }
        ClientFrame::ListRooms => link.send_control(ServerFrame::Rooms(host.rooms.list())),
        ClientFrame::Kick { player, reason } => {
            ask_room(link, ToRoom::Kick { by: link.player, player, reason }).await;
        }
    }
    Ok(())
}

/// Asks for a place in a room; the room answers.
async fn enter<I>(
    link: &Arc<Link<I>>,
    name: String,
    find: impl FnOnce() -> Result<Membership<I>, Refusal>,
) {
    if link.membership().is_some() {
        let text = "you are in a room already; leave it first".to_owned();
        return refuse(link, Refusal { code: RefuseCode::AlreadyInRoom, text });
    }
    let membership = match find() {
        Ok(membership) => membership,
        Err(refusal) => return refuse(link, refusal),
    };
    let room = Arc::clone(membership.room());
    let spectator = membership.spectator();
    link.enter(membership);
    let datagram_bytes_max = link.tell_datagram_bytes_max();
    let player = link.player;
    send_command(&room, ToRoom::Join { player, name, spectator, datagram_bytes_max }).await;
    // It broke after it was found; whoever told its members may have missed this one.
    if room.is_closed() {
        link.end(CloseCode::RoomFailed);
    }
}

async fn ask_room<I>(link: &Arc<Link<I>>, message: ToRoom<I>) {
    let membership = link.membership().as_ref().map(Arc::clone);
    match membership {
        Some(membership) => send_command(membership.room(), message).await,
        None => {
            let text = "you are in no room; join one first".to_owned();
            refuse(link, Refusal { code: RefuseCode::NotInRoom, text });
        }
    }
}

fn refuse<I>(link: &Link<I>, refusal: Refusal) {
    link.send_control(ServerFrame::Refused { code: refusal.code, text: refusal.text });
}

/// Bytes of a client's name that are logged.
const CLIENT_NAME_BYTES_MAX: usize = 64;
/// How long a client that sends frames too fast is not read.
pub(super) const FRAME_PAUSE: Duration = Duration::from_millis(50);
