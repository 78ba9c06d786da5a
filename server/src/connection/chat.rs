//! The chat stream: messages to the room, and requests for earlier ones.

use std::sync::Arc;

use tickwire_shared::Simulation;
use tickwire_shared::control::{ClientChat, CloseCode, RefuseCode, ServerChat};
use tokio::sync::mpsc::{Sender, channel};

use super::control::FRAME_PAUSE;
use super::frames::{FrameStream, NoFrame};
use super::history::ONE_AT_A_TIME;
use super::served::Served;
use super::{ClientLink, ServerState, SessionEnd, now, send_message};
use crate::room::ToRoom;
use crate::store::PageRequest;
use crate::token_bucket::TokenBucket;
use crate::transport::TransportSession;

/// Requests for history that wait for their turn; more are refused.
const HISTORY_WAITING_MAX: usize = 16;

/// Serves the chat stream of one connection to its end.
pub(super) async fn serve<S: Simulation>(
    host: &ServerState<S>,
    link: &Arc<ClientLink<S::Input>>,
    transport: &TransportSession,
    frames: &mut FrameStream,
) -> Served {
    let (wanted, mut waiting) = channel(HISTORY_WAITING_MAX);
    // They have no effect that others could be in order with: nothing waits for them.
    let history = async {
        while let Some(wanted) = waiting.recv().await {
            host.recall(link, wanted).await;
        }
    };
    let requests = serve_requests(host, link, (transport, frames), wanted);
    tokio::pin!(history, requests);
    let served = tokio::select! {
        biased;
        served = &mut requests => served,
        // It ends after the other.
        () = &mut history => return requests.await,
    };
    if matches!(served, Served::Lost) {
        history.await;
    }
    served
}

async fn serve_requests<S: Simulation>(
    host: &ServerState<S>,
    link: &Arc<ClientLink<S::Input>>,
    (transport, frames): (&TransportSession, &mut FrameStream),
    history: Sender<PageRequest>,
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
                say(host, link, chat, &history).await;
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
    history: &Sender<PageRequest>,
) {
    let membership = link.membership().as_ref().map(Arc::clone);
    match membership {
        Some(membership) => {
            if let ClientChat::History { request, before, count } = chat {
                let room = membership.room().name();
                let wanted = link.wanted_page(room, (request, before, count));
                if history.try_send(wanted).is_err() {
                    link.refuse_page(request, ONE_AT_A_TIME);
                }
                return;
            }
            if matches!(chat, ClientChat::Say { .. }) && host.answer_said(link, chat.request()) {
                return;
            }
            if let Some(text) = host.mute_of(link) {
                let (request, code) = (chat.request(), RefuseCode::ChatTooFast);
                return link.send_chat(&ServerChat::Refused { request, code, text });
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
