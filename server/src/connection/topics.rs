//! The topics stream: requests to publish and to subscribe in, messages out.
//!
//! A task of each connection carries the frames of its session to the stream, as fast as the client takes them.

use std::future::pending;
use std::sync::Arc;

use tickwire_shared::control::{
    ClientTopics, CloseCode, RefuseCode, RequestId, ServerFrame, TopicPosition,
};
use tickwire_shared::{PlayerId, Simulation};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::control::FRAME_PAUSE;
use super::frames::{FrameStream, NoFrame};
use super::{ClientLink, ServerState, SessionEnd, now};
use crate::identity::TopicRights;
use crate::store::{TopicAnswer, wall_ms};
use crate::token_bucket::TokenBucket;
use crate::topics::{
    DeliveryOutcome, EndedSubscription, NewSubscription, NewTopicMessage, TopicConnection,
    TopicRefusal,
};
use crate::transport::{RecvHalf, SendHalf, StreamOver, TransportSession};

/// Bytes that a connection's task keeps for its next frames while there are none.
const IDLE_BYTES: usize = 4096;

/// The topics stream of one connection.
#[derive(Debug)]
pub(super) struct TopicsStream {
    frames: FrameStream,
    /// Until the client begins.
    send: Option<SendHalf>,
    writing: Option<Writing>,
    /// Requests, but for messages that are within their own rate.
    rate: TokenBucket,
}

/// The task that writes the stream; it ends with the connection.
#[derive(Debug)]
struct Writing(JoinHandle<()>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl TopicsStream {
    pub(super) fn new<S: Simulation>(
        host: &ServerState<S>,
        (send, recv): (SendHalf, RecvHalf),
    ) -> Self {
        let config = &host.config;
        let rate = TokenBucket::new(config.control_frames_burst, config.control_frames_hz, now());
        let frames = FrameStream::new(recv, config.idle_time());
        TopicsStream { frames, send: Some(send), writing: None, rate }
    }

    /// Serves the stream until it decides how the session ends.
    pub(super) async fn serve<S: Simulation>(
        &mut self,
        host: &Arc<ServerState<S>>,
        link: &Arc<ClientLink<S::Input>>,
        transport: &Arc<TransportSession>,
    ) -> SessionEnd {
        loop {
            let frame = match self.frames.next_on::<ClientTopics>(transport).await {
                Ok(_) if !link.is_greeted() => return CloseCode::TooEarly.into(),
                Ok(frame) => frame,
                // The client asks for nothing more, or the connection is over.
                Err(NoFrame::Finished | NoFrame::Lost) => return pending().await,
                Err(NoFrame::GivenUp) => return SessionEnd::given_up(),
                Err(NoFrame::End(end)) => return end,
            };
            match (frame, self.send.take()) {
                (ClientTopics::Begin { positions }, Some(send)) => {
                    self.begin(host, link, transport, (&positions, send));
                }
                (ClientTopics::Begin { .. }, None) => return misused("it began twice"),
                (_, Some(_)) => return misused("it does not begin with Begin"),
                (frame, None) => self.handle(host, link, transport, frame).await,
            }
        }
    }

    fn begin<S: Simulation>(
        &mut self,
        host: &Arc<ServerState<S>>,
        link: &Arc<ClientLink<S::Input>>,
        transport: &Arc<TransportSession>,
        (positions, send): (&[TopicPosition], SendHalf),
    ) {
        let connection = host.topics.begin(link.player, positions, now());
        let (host, link, transport) = (Arc::clone(host), Arc::clone(link), Arc::clone(transport));
        self.writing = Some(Writing(tokio::spawn(async move {
            let written = write(&host, &connection, send).await;
            let is_current = Arc::ptr_eq(&link.transport(), &transport) && !transport.is_closing();
            if written == Err(StreamOver::GivenUp) && is_current {
                link.end(SessionEnd::given_up());
            }
        })));
    }

    /// Carries out a request in its turn, and answers it.
    async fn handle<S: Simulation>(
        &mut self,
        host: &Arc<ServerState<S>>,
        link: &Arc<ClientLink<S::Input>>,
        transport: &TransportSession,
        frame: ClientTopics,
    ) {
        let is_publish = matches!(frame, ClientTopics::Publish { .. });
        let is_within_rate = is_publish && host.topics.may_publish(link.player, now());
        while !is_within_rate && !self.rate.take(now()) {
            tokio::time::sleep(FRAME_PAUSE).await;
        }
        let Some(request) = frame.request().filter(|request| !link.was_done(*request)) else {
            return;
        };
        let turn = tokio::select! {
            biased;
            turn = link.order.turn(request) => turn,
            _ = transport.closed() => return,
        };
        let answered = match is_publish && !is_within_rate {
            true => Err(too_fast(host)),
            false => answer(host, link, request, frame),
        };
        if let Err(TopicRefusal { code, text }) = answered {
            host.counters.topics_refused.increment();
            link.send_control(ServerFrame::Refused { request, code, text });
        }
        drop(turn);
    }
}

/// Does what a client asks for, and says so.
fn answer<S: Simulation>(
    host: &ServerState<S>,
    link: &ClientLink<S::Input>,
    request: RequestId,
    frame: ClientTopics,
) -> Result<(), TopicRefusal> {
    let (player, rights) = (link.player, link.identity().topics.as_ref());
    match frame {
        ClientTopics::Begin { .. } => {}
        ClientTopics::Publish { topic, key, payload, lifetime, .. } => {
            let message = NewTopicMessage { from: player, topic, key, payload, lifetime };
            let answer = TopicAnswer::Session { player, request };
            let published = host.publish(rights, message, Some(answer))?;
            // The store answers those that it keeps.
            if let Some(sequence) = published {
                link.send_control(ServerFrame::Published { request, sequence });
            }
        }
        ClientTopics::Subscribe { subscription: id, pattern, delivery, start, cursors, .. } => {
            let new = NewSubscription { id, pattern, delivery, start, cursors };
            host.topics.subscribe(player, rights, new, wall_ms())?;
            link.send_control(ServerFrame::Done { request });
        }
        ClientTopics::Unsubscribe { subscription, .. } => {
            host.topics.unsubscribe(player, subscription);
            link.send_control(ServerFrame::Done { request });
        }
        ClientTopics::Remove { topic, key, .. } => {
            let at = (wall_ms(), host.rooms.store.as_ref());
            host.topics.remove(player, rights, (&topic, &key), at)?;
            link.send_control(ServerFrame::Done { request });
        }
    }
    Ok(())
}

/// Writes what a session has to read, until another connection reads it or the stream takes no more.
async fn write<S: Simulation>(
    host: &ServerState<S>,
    connection: &TopicConnection,
    mut send: SendHalf,
) -> Result<(), StreamOver> {
    let mut frames = Vec::new();
    loop {
        let left = host.topics.poll_delivery(connection, wall_ms(), &mut frames);
        if !frames.is_empty() {
            send.write_all(&frames).await?;
            host.counters.topic_bytes_out.add(frames.len() as u64);
            frames.clear();
        }
        match left {
            DeliveryOutcome::More => {}
            DeliveryOutcome::Elsewhere => return Ok(()),
            DeliveryOutcome::Drained => {
                frames.shrink_to(IDLE_BYTES);
                tokio::select! {
                    biased;
                    () = connection.signal.notified() => {}
                    () = send.given_up() => return Err(StreamOver::GivenUp),
                }
            }
        }
    }
}

fn not_saved() -> TopicRefusal {
    let text = "the message was delivered, and is not saved: the server's store fails, or its disk is full";
    TopicRefusal::new(RefuseCode::Busy, text)
}

fn misused(how: &str) -> SessionEnd {
    let text = format!("the topics stream is not as it should be: {how}; update the client");
    SessionEnd::new(CloseCode::MalformedFrame, text)
}

fn too_fast<S: Simulation>(host: &ServerState<S>) -> TopicRefusal {
    let most = host.config.topics.publish_hz;
    let text = format!("at most {most} messages in a second; wait a moment");
    TopicRefusal::new(RefuseCode::TopicTooFast, text)
}

impl<S: Simulation> ServerState<S> {
    /// Publishes a message, by these rights or those of the settings. Returns its number in its topic; `None` if the store keeps
    /// it, and answers once it is on disk.
    ///
    /// # Errors
    /// Why it is not published.
    pub(super) fn publish(
        &self,
        rights: Option<&TopicRights>,
        message: NewTopicMessage,
        answer: Option<TopicAnswer>,
    ) -> Result<Option<u64>, TopicRefusal> {
        let to = (self.rooms.store.as_ref(), answer);
        let published = self.topics.publish(rights, message, wall_ms(), to)?;
        let (sequence, is_kept) = (published.sequence, published.is_kept);
        self.note_published(published.ended);
        Ok(Some(sequence).filter(|_| !is_kept))
    }

    /// Publishes a message of the server's own program. Returns its number in the topic, also before the store has it.
    pub(crate) fn publish_own(&self, message: NewTopicMessage) -> Result<u64, TopicRefusal> {
        let to = (self.rooms.store.as_ref(), None);
        let published = self.topics.publish_own(message, wall_ms(), to)?;
        let sequence = published.sequence;
        self.note_published(published.ended);
        Ok(sequence)
    }

    /// Removes a value for the server's own program.
    pub(crate) fn remove_own(&self, topic: &str, key: &str) -> Result<(), TopicRefusal> {
        let at = (wall_ms(), self.rooms.store.as_ref());
        self.topics.remove_own(PlayerId(0), (topic, key), at)
    }

    /// Counts a message, and tells the sessions whose subscriptions end by it.
    fn note_published(&self, ended: Vec<EndedSubscription>) {
        self.counters.topics_published.increment();
        for subscription in ended {
            self.tell_ended(subscription);
        }
    }

    /// Publishes a message as [`ServerState::publish`] does, and waits until it is on disk if the store keeps it.
    ///
    /// # Errors
    /// Why it is not published, or not saved.
    pub(crate) async fn publish_saved(
        &self,
        rights: Option<&TopicRights>,
        message: NewTopicMessage,
    ) -> Result<u64, TopicRefusal> {
        let (answer, answered) = oneshot::channel();
        if let Some(sequence) = self.publish(rights, message, Some(TopicAnswer::Waiting(answer)))? {
            return Ok(sequence);
        }
        answered.await.ok().flatten().ok_or_else(not_saved)
    }

    /// Tells a session what became of a message that the store was to keep.
    pub(super) fn tell_published(&self, player: PlayerId, request: RequestId, saved: Option<u64>) {
        let Some(link) = self.links.get(player) else { return };
        link.send_control(match saved {
            Some(sequence) => ServerFrame::Published { request, sequence },
            None => {
                self.counters.topics_refused.increment();
                let TopicRefusal { code, text } = not_saved();
                ServerFrame::Refused { request, code, text }
            }
        });
    }

    /// Tells a session of a subscription that ended by itself.
    fn tell_ended(&self, ended: EndedSubscription) {
        let Some(link) = self.links.get(ended.player) else { return };
        let most = self.config.topics.followed_max;
        link.send_control(ServerFrame::TopicsEnded {
            subscription: ended.id,
            code: RefuseCode::TopicsFull,
            text: format!("a session follows at most {most} topics, and a new one matches too; subscribe to fewer"),
        });
    }
}
