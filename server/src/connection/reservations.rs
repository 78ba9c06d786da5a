//! Reserved seats: a backend asks for one, and its player shows the token at the hello.

use std::time::Duration;

use tickwire_shared::control::{CloseCode, Redacted, RefuseCode, ServerFrame};
use tickwire_shared::{PlayerId, Simulation};

use super::{ServerState, now};
use crate::identity::{AuthRefusal, Identity, ReservationTokens, ReservedSeat, SignedSeat};
use crate::rooms::{RoomRefusal, SeatReservation, SeatWish};
use crate::scheduler::Mailbox;

/// Said of a token whose reservation is not in force.
const OVER: &str = "the seat is reserved no more: the reservation ran out, was cancelled or replaced; ask for a new one";

impl<S: Simulation> ServerState<S> {
    /// Sets what signs the tokens of reserved seats, before the first session. Without it no seat is reserved.
    pub(crate) fn sign_reservations_by(&self, tokens: ReservationTokens) {
        let _ = self.reservation_tokens.set(tokens);
    }

    /// Reserves a seat in a room, which is made by `options` if there is none. Returns its token, and whether the room was made.
    ///
    /// # Errors
    /// Why there is none; `OptionsInvalid` also for facts that no token can have.
    pub(crate) fn reserve_seat(
        &self,
        seat: ReservedSeat,
        options: Option<&Redacted>,
    ) -> Result<(SignedSeat, bool), RoomRefusal> {
        let refused = |code, text: String| RoomRefusal { code, text };
        let tokens = self
            .reservation_tokens
            .get()
            .ok_or_else(|| refused(RefuseCode::Busy, "this server reserves no seats".to_owned()))?;
        let ReservedSeat { room, account, seat: number, seconds, .. } = seat.clone();
        let signed = tokens.sign(seat).map_err(|text| refused(RefuseCode::OptionsInvalid, text))?;
        let ends = now() + Duration::from_secs(seconds);
        let reservation = SeatReservation { id: signed.id.clone(), account, seat: number, ends };
        let is_made = self.rooms.reserve(SeatWish { room: &room, options, reservation })?;
        tracing::info!(room, seconds, "a seat is reserved");
        Ok((signed, is_made))
    }

    /// The identity of a player with the token of a reserved seat, which is used by this; `None` with any other token.
    pub(super) fn reserved_identity(
        &self,
        token: &Redacted,
    ) -> Option<Result<Identity, AuthRefusal>> {
        let checked = self.reservation_tokens.get()?.check(token.as_str())?;
        Some(checked.and_then(|claims| {
            let (room, id) = (claims.room.as_deref(), claims.jti.as_deref());
            match self.rooms.is_reserved(room.unwrap_or_default(), id.unwrap_or_default()) {
                true => Ok(claims.into()),
                false => Err(AuthRefusal { code: CloseCode::TokenExpired, text: OVER.to_owned() }),
            }
        }))
    }

    /// A player has its seat: if one was reserved for it, that is the one.
    pub(super) fn end_reservation(
        &self,
        room: &Mailbox<S::Input>,
        (player, frame): (PlayerId, &ServerFrame),
    ) {
        if room.reserved() == 0 || !matches!(frame, ServerFrame::Joined { spectator: false, .. }) {
            return;
        }
        let link = self.links.get(player);
        if let Some(account) = link.as_ref().and_then(|link| link.identity().account.as_ref()) {
            self.rooms.end_reservation(room.name(), &account.id);
        }
    }
}
