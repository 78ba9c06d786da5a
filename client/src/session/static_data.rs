//! The client's copies of the room's static data.

use std::collections::{BTreeMap, VecDeque};

use tickwire_shared::Tick;
use tickwire_shared::control::{
    ClientStatic, ContentHash, FrameReader, STATIC_BYTES_MAX, STREAM_STATIC, ServerFrame,
    ServerStatic, StaticChange, write_frame,
};

use super::event::{SessionError, SessionEvent};

/// The static data of the room, by key.
#[derive(Debug, Default)]
pub(super) struct StaticCopies {
    copies: BTreeMap<u8, StaticCopy>,
    reader: FrameReader,
    /// For the static stream, which is open once anything was written.
    out: Vec<u8>,
    is_open: bool,
    /// Hashes to look for in the caller's cache.
    wanted: VecDeque<ContentHash>,
    /// Loaded bytes for the cache.
    loaded: VecDeque<(ContentHash, Vec<u8>)>,
    /// True if the caller has a cache.
    has_cache: bool,
}

/// The bytes of one key.
#[derive(Debug)]
struct StaticCopy {
    hash: ContentHash,
    total: usize,
    tick: Tick,
    bytes: Vec<u8>,
    state: CopyState,
    /// Changes to apply once all bytes are here.
    changes: Vec<StaticChange>,
    /// Bytes of those changes.
    changes_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CopyState {
    /// The caller looks for them in its cache.
    Wanted,
    /// They are loading.
    Loading,
    /// They are all here.
    Whole,
}

impl StaticCopies {
    /// Hands loaded bytes to the caller's cache from now on.
    pub(super) fn use_cache(&mut self) {
        self.has_cache = true;
    }

    /// Clears the copies: the client left the room.
    pub(super) fn clear(&mut self) {
        self.copies.clear();
        self.wanted.clear();
    }

    /// The bytes of a key and their tick; `None` until all are here.
    pub(super) fn get(&self, key: u8) -> Option<(&[u8], Tick)> {
        let copy = self.copies.get(&key).filter(|copy| copy.state == CopyState::Whole)?;
        Some((&copy.bytes, copy.tick))
    }

    /// True while bytes of a copy are on their way.
    pub(super) fn is_loading(&self) -> bool {
        self.copies.values().any(|copy| copy.state == CopyState::Loading)
    }

    /// Takes a frame of the control stream. Returns the events that follow.
    pub(super) fn handle(
        &mut self,
        frame: &ServerFrame,
    ) -> Result<Vec<SessionEvent>, SessionError> {
        match frame {
            ServerFrame::StaticData { key, hash, bytes, tick } => {
                self.begin(*key, (*hash, *bytes as usize), *tick)
            }
            ServerFrame::StaticChanged { key, tick, changes } => {
                let unknown = SessionError::Unexpected { what: "a change of static data" };
                let copy = self.copies.get_mut(key).ok_or(unknown)?;
                copy.change(*key, *tick, changes)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Takes bytes of the static stream. Returns the events that follow.
    pub(super) fn handle_stream(
        &mut self,
        bytes: &[u8],
    ) -> Result<Vec<SessionEvent>, SessionError> {
        let mut told = Vec::new();
        self.reader.push(bytes);
        while let Some(frame) = self.reader.poll::<ServerStatic>()? {
            let ServerStatic::Chunk { hash, offset, bytes } = frame;
            told.extend(self.take_chunk(hash, offset as usize, &bytes));
        }
        Ok(told)
    }

    /// Bytes for the static stream, which the first of them opens; may be empty.
    pub(super) fn take_out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// The next hash to look for in the caller's cache.
    pub(super) fn poll_wanted(&mut self) -> Option<ContentHash> {
        self.wanted.pop_front()
    }

    /// The next loaded bytes for the cache.
    pub(super) fn poll_loaded(&mut self) -> Option<(ContentHash, Vec<u8>)> {
        self.loaded.pop_front()
    }

    /// The caller's bytes of `hash`; `None` if its cache lacks them. Returns the events that
    /// follow.
    pub(super) fn give(&mut self, hash: ContentHash, found: Option<&[u8]>) -> Vec<SessionEvent> {
        let mut told = Vec::new();
        let wanted = |copy: &StaticCopy| copy.hash == hash && copy.state == CopyState::Wanted;
        let keys: Vec<u8> =
            self.copies.iter().filter(|(_, copy)| wanted(copy)).map(|(key, _)| *key).collect();
        for key in keys {
            let Some(copy) = self.copies.get_mut(&key) else { continue };
            match found.filter(|bytes| bytes.len() == copy.total) {
                Some(bytes) => {
                    copy.bytes = bytes.to_vec();
                    told.push(copy.finish(key));
                    self.say(ClientStatic::Have(hash));
                }
                None => {
                    copy.state = CopyState::Loading;
                    self.say(ClientStatic::Fetch(hash));
                }
            }
        }
        told
    }

    fn begin(
        &mut self,
        key: u8,
        (hash, total): (ContentHash, usize),
        tick: Tick,
    ) -> Result<Vec<SessionEvent>, SessionError> {
        let others = self.copies.iter().filter(|(other, _)| **other != key);
        let rest: usize = others.map(|(_, copy)| copy.total).sum();
        if rest + total > STATIC_BYTES_MAX {
            return Err(SessionError::Unexpected { what: "too much static data" });
        }
        self.copies.remove(&key);
        if total > 0 {
            let (bytes, changes) = (Vec::new(), Vec::new());
            let state = CopyState::Wanted;
            let copy = StaticCopy { hash, total, tick, bytes, state, changes, changes_bytes: 0 };
            self.copies.insert(key, copy);
            self.wanted.push_back(hash);
        }
        Ok(vec![SessionEvent::StaticData { key, received: 0, total }])
    }

    fn take_chunk(
        &mut self,
        hash: ContentHash,
        offset: usize,
        bytes: &[u8],
    ) -> Option<SessionEvent> {
        // Chunks that are no longer needed are ignored: the client left the room, or the bytes were
        // replaced.
        let is_next = |copy: &StaticCopy| {
            let end = copy.bytes.len() + bytes.len();
            let is_loading = copy.hash == hash && copy.state == CopyState::Loading;
            is_loading && copy.bytes.len() == offset && end <= copy.total
        };
        let (&key, copy) = self.copies.iter_mut().find(|(_, copy)| is_next(copy))?;
        copy.bytes.extend_from_slice(bytes);
        if copy.bytes.len() < copy.total {
            let (received, total) = (copy.bytes.len(), copy.total);
            return Some(SessionEvent::StaticData { key, received, total });
        }
        if self.has_cache {
            self.loaded.push_back((hash, copy.bytes.clone()));
        }
        Some(copy.finish(key))
    }

    /// Requests unfinished copies again over another connection, and repeats which copies are complete: that answer may
    /// be lost.
    pub(super) fn resume(&mut self) {
        self.reader = FrameReader::default();
        (self.is_open, self.out) = (false, Vec::new());
        let mut answers = Vec::new();
        for copy in self.copies.values_mut() {
            match copy.state {
                CopyState::Wanted => {}
                CopyState::Loading => {
                    copy.bytes.clear();
                    answers.push(ClientStatic::Fetch(copy.hash));
                }
                CopyState::Whole => answers.push(ClientStatic::Have(copy.hash)),
            }
        }
        answers.into_iter().for_each(|answer| self.say(answer));
    }

    fn say(&mut self, frame: ClientStatic) {
        if !std::mem::replace(&mut self.is_open, true) {
            self.out.push(STREAM_STATIC);
        }
        write_frame(&frame, &mut self.out);
    }
}

impl StaticCopy {
    /// Completes the copy with the changes that came meanwhile.
    fn finish(&mut self, key: u8) -> SessionEvent {
        self.state = CopyState::Whole;
        self.changes_bytes = 0;
        for change in std::mem::take(&mut self.changes) {
            self.apply(&change);
        }
        SessionEvent::StaticData { key, received: self.total, total: self.total }
    }

    fn change(
        &mut self,
        key: u8,
        tick: Tick,
        changes: &[StaticChange],
    ) -> Result<Vec<SessionEvent>, SessionError> {
        let mut told = Vec::new();
        for change in changes {
            let (offset, length) = (change.offset as usize, change.bytes.len());
            if offset + length > self.total {
                return Err(SessionError::Unexpected { what: "static data beyond its end" });
            }
            if self.state == CopyState::Whole {
                self.apply(change);
                told.push(SessionEvent::StaticChanged { key, offset, length });
                continue;
            }
            self.changes_bytes += length;
            if self.changes_bytes > STATIC_BYTES_MAX {
                return Err(SessionError::Unexpected { what: "too much static data" });
            }
            self.changes.push(change.clone());
        }
        self.tick = tick;
        Ok(told)
    }

    fn apply(&mut self, StaticChange { offset, bytes }: &StaticChange) {
        let at = *offset as usize;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }
}
