//! A stream of events, in the form of the HTML standard's `EventSource`.
//!
//! A reader has no queue: what comes next is read from the topics once its connection has taken what came before.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tickwire_shared::control::RefuseCode;
use tokio::time::Instant;

use crate::config::PayloadForm;
use crate::shares::Share;
use crate::store::wall_ms;
use crate::topics::{MergedCursor, MergedItem, MergedReader, ReadState, push_text, write_message};

/// The least and the most milliseconds after which a reader comes back: readers of a server that starts again do not all come
/// at once.
const RETRY_MS: (u32, u32) = (1000, 3000);
/// The end of a stream whose pattern matches too many topics.
const TOO_MANY: &str =
    "more topics match than a reader may follow; read by a pattern that fewer match";

/// The form and the times of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamOptions {
    pub(super) payload: PayloadForm,
    /// The pause after which there is a line without an event.
    pub(super) heartbeat: Duration,
    /// The time at which its connection ends.
    pub(super) ends: Instant,
}

/// A stream of events.
#[derive(Debug)]
pub(super) struct EventStream {
    reader: MergedReader,
    /// Its place among all readers.
    _share: Share,
    options: StreamOptions,
    /// What comes next.
    items: Vec<MergedItem>,
    /// What it has read with the last event that was written.
    cursor: Option<MergedCursor>,
    has_begun: bool,
    is_over: bool,
}

impl EventStream {
    /// A stream that begins with what was missed.
    pub(super) fn new(
        (reader, missed): (MergedReader, Vec<MergedItem>),
        share: Share,
        options: StreamOptions,
    ) -> Self {
        let (has_begun, is_over) = (false, false);
        EventStream {
            reader,
            _share: share,
            options,
            items: missed,
            cursor: None,
            has_begun,
            is_over,
        }
    }

    /// The stream's text, in pieces of about 16 KiB. `count` is told the bytes of each.
    pub(super) fn into_chunks(
        self,
        count: impl Fn(u64) + Send + 'static,
    ) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
        futures_util::stream::unfold((self, count), |(mut stream, count)| async move {
            let text = stream.next().await?;
            count(text.len() as u64);
            Some((Ok(Bytes::from(text)), (stream, count)))
        })
    }

    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        let heartbeat = Instant::now() + self.options.heartbeat;
        while !self.is_over && Instant::now() < self.options.ends {
            let text = self.poll()?;
            if !text.is_empty() {
                return Some(text);
            }
            tokio::select! {
                biased;
                () = self.reader.signal.notified() => {}
                () = tokio::time::sleep_until(heartbeat) => return Some(self.beat()),
                () = tokio::time::sleep_until(self.options.ends) => {}
            }
        }
        None
    }

    /// What there is to read now, empty for nothing; `None` if the server stops.
    fn poll(&mut self) -> Option<String> {
        let mut text = String::new();
        if !std::mem::replace(&mut self.has_begun, true) {
            let spread = RETRY_MS.1 - RETRY_MS.0;
            let retry_ms = RETRY_MS.0 + self.reader.player.0.wrapping_mul(0x9e37_79b1) % spread;
            let _ = write!(text, "retry: {retry_ms}\n\n");
        }
        let reading = self.reader.poll(wall_ms(), &mut self.items);
        for item in self.items.drain(..) {
            if let MergedItem::Message { cursor, .. } = &item {
                self.cursor = Some(*cursor);
            }
            write_event(&item, self.options.payload, &mut text);
        }
        match reading {
            ReadState::Closed => return None,
            ReadState::More => {}
            ReadState::Ended => {
                self.is_over = true;
                let code = RefuseCode::TopicsFull;
                let _ = write!(text, "event: ended\ndata: {{\"code\":\"{code:?}\",\"text\":");
                push_text(TOO_MANY, &mut text);
                text.push_str("}\n\n");
            }
            // A reader that has no id yet would begin anew after a loss.
            ReadState::All(cursor) if self.cursor.is_none() => {
                self.cursor = Some(cursor);
                let _ = write!(text, "id: {cursor}\n\n");
            }
            ReadState::All(cursor) => self.cursor = Some(cursor),
        }
        Some(text)
    }

    /// A line without an event. It moves the id of the last event on, past messages of other topics.
    fn beat(&self) -> String {
        match self.cursor {
            Some(cursor) => format!(": alive\nid: {cursor}\n\n"),
            None => ": alive\n\n".to_owned(),
        }
    }
}

/// Appends an event.
fn write_event(item: &MergedItem, form: PayloadForm, out: &mut String) {
    match item {
        MergedItem::Message { topic, cursor, coded } => {
            let _ = write!(out, "id: {cursor}\ndata: ");
            write_message(Some(topic), coded, form, out);
        }
        MergedItem::Missed { topic, from, to } => {
            let missed = serde_json::json!({ "topic": topic, "from": from, "to": to });
            let _ = write!(out, "event: missed\ndata: {missed}");
        }
    }
    out.push_str("\n\n");
}
