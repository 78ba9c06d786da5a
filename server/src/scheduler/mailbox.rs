//! A room as seen by the network: its name, its numbers of members and the queues into it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use tickwire_shared::control::RoomInfo;

use super::queue::BoundedQueue;
use super::woken::WokenRooms;
use crate::config::ServerConfig;
use crate::room::ToRoom;

/// The network's end of one room.
#[derive(Debug)]
pub(crate) struct Mailbox<I> {
    /// The room's line in the list of rooms, without the number of its members.
    listing: RoomInfo,
    /// Inputs; dropped if the room does not keep up.
    inputs: BoundedQueue<ToRoom<I>>,
    /// All other messages; senders wait if the room does not keep up.
    messages: BoundedQueue<ToRoom<I>>,
    /// As of the room's last tick.
    players: AtomicU32,
    bots: AtomicU32,
    spectators: AtomicU32,
    /// Free seats that wait for an account.
    reserved: AtomicU32,
    /// True once it has had a member.
    entered: AtomicBool,
    /// The registry removed it: its thread drops it.
    closed: AtomicBool,
    /// The room sleeps: a sender of a message wakes it.
    asleep: AtomicBool,
    /// Its alarm and its number there; set once its thread took it up.
    woken: OnceLock<(Arc<WokenRooms>, usize)>,
}

impl<I> Mailbox<I> {
    /// `listing` is the line of the empty room in the list of rooms.
    pub(crate) fn new(listing: RoomInfo, config: &ServerConfig) -> Self {
        Mailbox {
            listing,
            inputs: BoundedQueue::new(config.mailbox_inputs_max),
            messages: BoundedQueue::new(config.mailbox_messages_max),
            players: AtomicU32::new(0),
            bots: AtomicU32::new(0),
            spectators: AtomicU32::new(0),
            reserved: AtomicU32::new(0),
            entered: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            woken: OnceLock::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.listing.name
    }

    pub(crate) fn players_max(&self) -> u32 {
        self.listing.players_max
    }

    /// The room's line in the list of rooms, without the number of its members.
    pub(crate) fn listing(&self) -> &RoomInfo {
        &self.listing
    }

    /// Seats taken by people.
    pub(crate) fn players(&self) -> u32 {
        self.players.load(Ordering::Relaxed)
    }

    /// Free seats that wait for an account, as of the last change or the last second.
    pub(crate) fn reserved(&self) -> u32 {
        self.reserved.load(Ordering::Relaxed)
    }

    /// Notes the number of seats that wait for an account.
    pub(crate) fn set_reserved(&self, seats: usize) {
        self.reserved.store(u32::try_from(seats).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Seats that nobody else can take: those of people, and those that wait for an account.
    pub(crate) fn seats_taken(&self) -> u32 {
        self.players().saturating_add(self.reserved()).min(self.players_max())
    }

    /// The room's line in the list of rooms.
    pub(crate) fn info(&self) -> RoomInfo {
        RoomInfo {
            players: self.players(),
            bots: self.bots.load(Ordering::Relaxed),
            spectators: self.spectators.load(Ordering::Relaxed),
            ..self.listing.clone()
        }
    }

    /// True once it has had a member.
    pub(crate) fn was_entered(&self) -> bool {
        self.entered.load(Ordering::Relaxed)
    }

    /// Queues an input; `false` if it was dropped.
    pub(crate) fn try_input(&self, input: ToRoom<I>) -> bool {
        self.inputs.push(input).is_ok()
    }

    /// Queues any other message, or returns it if the room is behind.
    pub(crate) fn try_message(&self, message: ToRoom<I>) -> Result<(), ToRoom<I>> {
        self.messages.push(message)?;
        self.wake();
        Ok(())
    }

    /// Closes the room.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// True if the room was closed: no message to it will be answered.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The messages since the last tick, inputs last.
    pub(super) fn drain(&self) -> impl Iterator<Item = ToRoom<I>> + '_ {
        self.messages.drain().chain(self.inputs.drain())
    }

    /// Sets the alarm that wakes the room from its sleep.
    pub(super) fn set_alarm(&self, woken: &Arc<WokenRooms>, number: usize) {
        // A room is taken up once.
        let _ = self.woken.set((Arc::clone(woken), number));
    }

    /// Lets the room sleep, if nothing waits for it; then returns true. The next message, or
    /// closing the room, rings its alarm. Only the room's thread may call it.
    pub(super) fn fall_asleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let has_work = !self.messages.is_empty() || self.closed.load(Ordering::SeqCst);
        // A message since then has rung the alarm already, or was seen here.
        !(has_work && self.asleep.swap(false, Ordering::SeqCst))
    }

    fn wake(&self) {
        if self.asleep.swap(false, Ordering::SeqCst)
            && let Some((woken, number)) = self.woken.get()
        {
            woken.ring(*number);
        }
    }

    pub(super) fn publish(&self, info: &RoomInfo) {
        self.players.store(info.players, Ordering::Relaxed);
        self.bots.store(info.bots, Ordering::Relaxed);
        self.spectators.store(info.spectators, Ordering::Relaxed);
        if info.players + info.spectators > 0 {
            self.entered.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox() -> Mailbox<()> {
        let cabin = RoomInfo { name: "cabin".to_owned(), ..RoomInfo::default() };
        Mailbox::new(cabin, &ServerConfig::default())
    }

    fn notice() -> ToRoom<()> {
        ToRoom::Notice { text: String::new() }
    }

    #[test]
    fn a_sleeping_room_is_woken_once_by_a_message_or_its_end() {
        let mailbox = mailbox();
        let woken = Arc::new(WokenRooms::new(4));
        mailbox.set_alarm(&woken, 7);
        let rung = || woken.drain().collect::<Vec<_>>();
        assert!(mailbox.try_message(notice()).is_ok());
        assert!(!mailbox.fall_asleep(), "there is something to do");
        assert_eq!(mailbox.drain().count(), 1);
        assert!(mailbox.fall_asleep());
        assert_eq!(rung(), [0; 0]);
        for _ in 0..2 {
            assert!(mailbox.try_message(notice()).is_ok());
        }
        assert_eq!(rung(), [7]);
        assert_eq!(mailbox.drain().count(), 2);
        assert!(mailbox.fall_asleep());
        mailbox.close();
        assert_eq!(rung(), [7]);
    }

    #[test]
    fn a_message_that_comes_while_the_room_falls_asleep_is_never_missed() {
        let mailbox = mailbox();
        let woken = Arc::new(WokenRooms::new(4));
        mailbox.set_alarm(&woken, 7);
        let sent = 20_000;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..sent {
                    while mailbox.try_message(notice()).is_err() {
                        std::thread::yield_now();
                    }
                }
            });
            let mut taken = 0;
            while taken < sent {
                taken += mailbox.drain().count();
                if taken < sent && mailbox.fall_asleep() {
                    // Every sender rings: this ends, or the room sleeps forever.
                    while woken.drain().count() == 0 {
                        std::thread::yield_now();
                    }
                }
            }
        });
    }
}
