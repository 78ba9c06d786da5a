//! Messages to a room between two ticks.

use std::time::Instant;

use tickwire_shared::Simulation;
use tickwire_shared::control::{RefuseCode, ServerFrame};

use super::Room;
use super::message::{FromRoom, ToRoom};

impl<S: Simulation> Room<S> {
    /// Handles one message. `time_ms` is in milliseconds since 1970, for chat stamps.
    pub fn handle(&mut self, now: Instant, time_ms: u64, message: ToRoom<S::Input>) {
        match message {
            ToRoom::Join {
                request,
                player,
                name,
                account,
                profile,
                spectator,
                options,
                datagram_bytes_max,
                resume,
                last_seat,
            } => {
                let seat_options = (!spectator).then_some(&options);
                let named =
                    (name.as_str(), account.as_ref(), profile.as_deref().filter(|_| !spectator));
                match self.join(
                    (now, time_ms),
                    (request, player),
                    named,
                    (seat_options, last_seat),
                    resume.map(|it| *it),
                ) {
                    Ok(()) => self.set_path(player, datagram_bytes_max),
                    Err(refusal) => {
                        if refusal.0 != RefuseCode::AlreadyInRoom {
                            self.outgoing.push_back(FromRoom::Released { player });
                        }
                        self.refuse(player, request, refusal);
                    }
                }
            }
            ToRoom::Leave { request, player, code } => self.leave(time_ms, request, player, code),
            ToRoom::Away { player } => self.away(player),
            ToRoom::Back { player, datagram_bytes_max } => self.back(player, datagram_bytes_max),
            ToRoom::Input { player, at, datagram } => self.take_input(now, player, at, &datagram),
            ToRoom::Path { player, datagram_bytes_max } => {
                self.set_path(player, datagram_bytes_max);
            }
            ToRoom::Chat { player, chat } => self.chat(now, time_ms, player, &chat),
            ToRoom::Kick { request, by, player, reason } => {
                match self.kick((now, time_ms), by, player, &reason) {
                    Ok(()) => self.tell(by, ServerFrame::Done { request }),
                    Err(refusal) => self.refuse(by, request, refusal),
                }
            }
            ToRoom::Command { request, player, kind, fields } => {
                self.take_command((player, request), kind, &fields);
            }
            ToRoom::Saved { player, fence, tick, outcome } => {
                self.saved(player, fence, (tick, outcome));
            }
            ToRoom::Scored { player, room_seed, board, tick, outcome } => {
                self.scored((player, room_seed), board, (tick, outcome));
            }
            ToRoom::Notice { text } => self.tell_everyone(ServerFrame::Notice(text)),
        }
    }
}
