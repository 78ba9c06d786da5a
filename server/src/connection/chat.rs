//! The chat stream: messages to the room, and requests for earlier ones.

use std::sync::Arc;

use tickwire_shared::Simulation;
use tickwire_shared::control::{ClientChat, CloseCode, RefuseCode, ServerChat};

use super::control::FRAME_PAUSE;
use super::frames::{FrameStream, NoFrame};
use super::served::Served;
use super::{ClientLink, ServerState, SessionEnd, now, send_message};
use crate::room::ToRoom;
use crate::token_bucket::TokenBucket;
use crate::transport::TransportSession;

/// Serves the chat stream of one connection to its end.
pub(super) async fn serve<S: Simulation>(
    host: &ServerState<S>,
    link: &Arc<ClientLink<S::Input>>,
    transport: &TransportSession,
    frames: &mut FrameStream,
) -> Served {
    // The room's own limit answers with an explanation; this one keeps its mailbox free for others.
    let mut bucket =
        TokenBucket::new(host.config.control_frames_burst, host.config.control_frames_hz, now());
    loop {
        while !bucket.take(now()) {
            tokio::time::sleep(FRAME_PAUSE).await;
        }
        match frames.next_on::<ClientChat>(transport).await {
            Ok(_) if !link.is_greeted() => return Served::Over(CloseCode::TooEarly.into()),
            Ok(chat) if link.was_done(chat.request()) => {}
            Ok(chat) => {
                let turn = tokio::select! {
                    biased;
                    turn = link.order.turn(chat.request()) => turn,
                    _ = transport.closed() => return Served::Lost,
                };
                link.all_answered().await;
                say(host, link, chat).await;
                drop(turn);
            }
            // The client has no more to say; it may still listen.
            Err(NoFrame::Finished) => {
                transport.closed().await;
                return Served::Lost;
            }
            Err(NoFrame::Lost) => return Served::Lost,
            Err(NoFrame::GivenUp) => return Served::Over(SessionEnd::given_up()),
            Err(NoFrame::End(end)) => return Served::Over(end),
        }
    }
}

async fn say<S: Simulation>(
    host: &ServerState<S>,
    link: &Arc<ClientLink<S::Input>>,
    chat: ClientChat,
) {
    let membership = link.membership().as_ref().map(Arc::clone);
    match membership {
        Some(membership) => {
            if let ClientChat::History { request, before, count } = chat {
                let room = membership.room().name();
                return host.recall(link, room, (request, before, count)).await;
            }
            if matches!(chat, ClientChat::Say { .. }) && host.answer_said(link, chat.request()) {
                return;
            }
            let message = ToRoom::Chat { player: link.player, chat };
            send_message(membership.room(), message).await;
        }
        None => link.send_chat(&ServerChat::Refused {
            request: chat.request(),
            code: RefuseCode::NotInRoom,
            text: "you are in no room; join one first".to_owned(),
        }),
    }
}
