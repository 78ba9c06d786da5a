//! The messages that were said last, by their sender's session and request: a client that lost the answer says them again to
//! the next server.

use std::collections::HashMap;

use redb::{ReadableDatabase as _, ReadableTable as _, Table, TableDefinition};
use tickwire_shared::control::{ChatMessage, RequestId};

use super::{Database, MESSAGES};
use crate::store::error::StoreError;
use crate::store::{NewMessage, SessionTag};

/// By a number that grows: session, request, room and the message's number.
pub(super) const SAID: TableDefinition<u64, SaidLine> = TableDefinition::new("said");
/// Messages in the table, of all rooms.
const SAID_MAX: u64 = 4096;

type SaidLine = (u64, u32, &'static str, u64);

impl Database {
    /// Notes a message that is being kept.
    pub(super) fn note_said(
        &self,
        said: &mut Table<u64, SaidLine>,
        NewMessage { room, message, session }: &NewMessage,
    ) -> Result<(), StoreError> {
        let Some(SessionTag(session)) = session else { return Ok(()) };
        let last = said.last().map_err(|error| self.failed(error))?;
        let next = last.map_or(0, |(key, _)| key.value() + 1);
        let line = (*session, message.request.0, room.as_str(), message.id);
        said.insert(next, line).map_err(|error| self.failed(error))?;
        if let Some(oldest) = next.checked_sub(SAID_MAX) {
            said.remove(oldest).map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// The messages that were said last. A record that does not decode is left out.
    pub(in crate::store) fn said(
        &self,
    ) -> Result<HashMap<(SessionTag, RequestId), ChatMessage>, StoreError> {
        let read = self.redb.begin_read().map_err(|error| self.failed(error))?;
        let said = read.open_table(SAID).map_err(|error| self.failed(error))?;
        let messages = read.open_table(MESSAGES).map_err(|error| self.failed(error))?;
        let mut found = HashMap::new();
        for line in said.iter().map_err(|error| self.failed(error))? {
            let (_, line) = line.map_err(|error| self.failed(error))?;
            let (session, request, room, id) = line.value();
            let kept = messages.get((room, id)).map_err(|error| self.failed(error))?;
            let stored = kept.and_then(|kept| self.decode_message(kept.value(), room, id).ok());
            if let Some(stored) = stored {
                let request = RequestId(request);
                let message = ChatMessage { request, ..stored.message(id) };
                found.insert((SessionTag(session), request), message);
            }
        }
        Ok(found)
    }
}
