//! What one session of a client has been told, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail, ensure};
use tickwire_shared::PlayerId;
use tickwire_shared::control::{RequestId, ServerChat, ServerFrame};
use tickwire_shared::quantize::Kinds as _;
use tickwire_shared::replica::Event;

use super::game::Told;

/// A message or a notice as somebody was told of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Heard {
    /// `None` for a notice.
    pub(crate) from: Option<PlayerId>,
    pub(crate) text: String,
}

/// The chat that came from one of the server's processes, by number.
#[derive(Debug, Default)]
pub(crate) struct HeardChat {
    pub(crate) heard: BTreeMap<u64, Heard>,
    /// The last number that each sender said.
    said: BTreeMap<PlayerId, u64>,
}

/// A stay in a room that no restart of the server interrupted.
#[derive(Debug, Default)]
pub(crate) struct Stay {
    /// The number of the server's process.
    pub(crate) epoch: u32,
    /// The last numbers of events: to the player, and to all.
    pub(crate) told: [Option<u32>; 2],
}

/// A request that is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Join,
    Leave,
    Say,
    /// Earlier messages; the newest that was saved then.
    History(u64),
    Order(u32),
}

/// Messages of the server's process of this number have numbers from here on.
pub(crate) fn first_chat(epoch: u32) -> u64 {
    u64::from(epoch + 1) << 32
}

/// One session of a client, from its welcome on.
#[derive(Debug, Default)]
pub(crate) struct Life {
    /// 0 before the welcome.
    pub(crate) player: PlayerId,
    /// The number of the server's process that it began with.
    pub(crate) began: u32,
    pub(crate) asked: BTreeMap<RequestId, Asked>,
    /// Messages that were echoed and wait for [`ServerChat::Sent`], with the number of the server's process.
    unsent: BTreeMap<RequestId, u32>,
    /// Messages that an earlier process had saved, as they were answered again.
    pub(crate) answered_again: Vec<(u64, Heard)>,
    /// The numbers of messages that the server says are on disk.
    pub(crate) saved: BTreeSet<u64>,
    /// Pages of history, each from the server's process of a number.
    pub(crate) history: Vec<(u32, Vec<u64>)>,
    pub(crate) stay: Option<Stay>,
    /// By the number of the server's process.
    pub(crate) chat: BTreeMap<u32, HeardChat>,
    /// Commands that a step had, and those that none has.
    pub(crate) done: BTreeSet<u32>,
    pub(crate) refused: BTreeSet<u32>,
    /// Commands that were sent.
    pub(crate) orders: u32,
}

impl Life {
    /// A session that begins with the server's process of this number.
    pub(crate) fn new(began: u32) -> Self {
        Life { began, ..Life::default() }
    }

    /// Takes a frame of the control stream, from the server's process of this number.
    pub(crate) fn take_control(&mut self, frame: &ServerFrame, epoch: u32) -> anyhow::Result<()> {
        match frame {
            ServerFrame::Welcome { player, .. } => self.player = *player,
            ServerFrame::Joined { .. } => {
                ensure!(self.stay.is_none(), "joined twice");
                self.stay = Some(Stay { epoch, ..Stay::default() });
            }
            ServerFrame::Rejoined { .. } => {
                ensure!(self.stay.as_ref().is_none_or(|stay| stay.epoch < epoch), "rejoined twice");
                // Answers that were on the way are lost with the process.
                self.unsent.retain(|_, echoed_by| *echoed_by == epoch);
                self.stay = Some(Stay { epoch, ..Stay::default() });
            }
            ServerFrame::Left { .. } | ServerFrame::Removed { .. } => self.stay = None,
            _ => {}
        }
        let Some(request) = frame.answers() else { return Ok(()) };
        let is_refused = matches!(frame, ServerFrame::Refused { .. });
        match self.asked.remove(&request) {
            Some(Asked::Order(number)) if is_refused => drop(self.refused.insert(number)),
            Some(Asked::Order(number)) => drop(self.done.insert(number)),
            Some(_) => {}
            None => bail!("request {} is answered twice, or was never asked: {frame:?}", request.0),
        }
        Ok(())
    }

    /// Takes a frame of the chat stream, from the server's process of this number.
    pub(crate) fn take_chat(&mut self, chat: &ServerChat, epoch: u32) -> anyhow::Result<()> {
        match chat {
            ServerChat::Message(message) => {
                if message.from == self.player {
                    let asked = self.asked.remove(&message.request);
                    ensure!(asked.is_some(), "message {:?} is echoed twice", message.text);
                    self.unsent.insert(message.request, epoch);
                }
                let heard = Heard { from: Some(message.from), text: message.text.clone() };
                if message.from == self.player && message.id < first_chat(epoch) {
                    self.answered_again.push((message.id, heard));
                    return Ok(());
                }
                self.hear(message.id, heard, epoch)
            }
            ServerChat::Notice { id, text, .. } => {
                self.hear(*id, Heard { from: None, text: text.clone() }, epoch)
            }
            ServerChat::Refused { request, .. } => {
                ensure!(self.asked.remove(request).is_some(), "chat is refused twice");
                Ok(())
            }
            ServerChat::Sent { request, id, is_saved } => {
                let echoed_by = self.unsent.remove(request);
                ensure!(echoed_by == Some(epoch), "a message was sent twice, or never said");
                ensure!(*is_saved, "message {id} was not saved, though nothing fails");
                self.saved.insert(*id);
                Ok(())
            }
            ServerChat::History { request, messages, .. } => {
                let ids: Vec<u64> = messages.iter().map(|message| message.id).collect();
                ensure!(ids.is_sorted_by(|a, b| a < b), "history comes as {ids:?}");
                if let Some(request) = request {
                    let Some(Asked::History(newest)) = self.asked.remove(request) else {
                        bail!("history that was not asked for");
                    };
                    let last = ids.last().copied().unwrap_or(0);
                    ensure!(last >= newest, "history ends with {last}, and {newest} was saved");
                }
                self.history.push((epoch, ids));
                Ok(())
            }
        }
    }

    fn hear(&mut self, id: u64, heard: Heard, epoch: u32) -> anyhow::Result<()> {
        let numbers = first_chat(epoch)..first_chat(epoch + 1);
        ensure!(numbers.contains(&id), "process {epoch} gives {heard:?} the number {id}");
        let chat = self.chat.entry(epoch).or_default();
        if let Some((last, _)) = chat.heard.last_key_value() {
            ensure!(id > *last, "chat {id} {heard:?} comes after {last}");
        }
        if let (Some(from), Some((_, number))) = (heard.from, heard.text.rsplit_once(' ')) {
            let number: u64 = number.parse().unwrap_or(0);
            let before = chat.said.insert(from, number).unwrap_or(0);
            ensure!(number > before, "message {number} of player {} after {before}", from.0);
        }
        chat.heard.insert(id, heard);
        Ok(())
    }

    /// Takes a game event: its kind says for whom it is.
    pub(crate) fn take_event(&mut self, event: &Event) -> anyhow::Result<()> {
        let Some(stay) = &mut self.stay else { bail!("an event outside of a room") };
        let told = Told::from_lanes(event.kind, &event.lanes).context("an unknown event")?;
        let (last, number) = (&mut stay.told[usize::from(event.kind)], told.number());
        if let Some(before) = *last {
            ensure!(number == before + 1, "event {told:?} comes after {before}");
        }
        *last = Some(number);
        Ok(())
    }

    /// The number of answers that have not come.
    pub(crate) fn unanswered(&self) -> usize {
        self.asked.len() + self.unsent.len()
    }
}
