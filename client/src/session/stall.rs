//! Silence of a connection that is open.

use std::time::Duration;

use super::Session;

/// Silence that counts as a stall, while a snapshot each tick or an answer is due.
const STALL: Duration = Duration::from_secs(3);
/// The same for the first datagram over a connection that the session moved to.
const UNPROVEN: Duration = Duration::from_secs(1);
/// Fewest snapshots of a slow game that a stall lacks.
const STALL_TICKS: u32 = 12;
/// Most that one gap between two calls counts: a caller that stood still has not read what arrived
/// meanwhile.
const GAP_MAX: Duration = Duration::from_millis(250);

/// Detects a connection that is open and brings nothing: datagrams that stop in a room, or streams
/// that leave a request unanswered. Only time in which the caller runs counts.
#[derive(Debug)]
pub(super) struct StallWatch {
    last: Option<Duration>,
    datagrams: Duration,
    streams: Duration,
    is_asking: bool,
    /// Silence of datagrams that counts as a stall.
    stall: Duration,
    is_stalled: bool,
}

impl Default for StallWatch {
    fn default() -> Self {
        StallWatch {
            last: None,
            datagrams: Duration::ZERO,
            streams: Duration::ZERO,
            is_asking: false,
            stall: STALL,
            is_stalled: false,
        }
    }
}

impl StallWatch {
    /// For a connection over which no datagram has come yet: their silence is a stall sooner.
    pub(super) fn unproven() -> Self {
        StallWatch { stall: UNPROVEN, ..StallWatch::default() }
    }

    /// For a connection on which an answer is due.
    pub(super) fn asking() -> Self {
        StallWatch { is_asking: true, ..StallWatch::default() }
    }

    /// A datagram came.
    pub(super) fn heard_datagram(&mut self) {
        (self.datagrams, self.stall) = (Duration::ZERO, STALL);
        self.is_stalled = false;
    }

    /// Bytes of a stream came.
    pub(super) fn heard_stream(&mut self) {
        (self.streams, self.is_asking) = (Duration::ZERO, false);
        self.is_stalled = false;
    }

    /// A request was sent that will be answered on a stream.
    pub(super) fn asked(&mut self) {
        self.is_asking = true;
    }

    /// The result of the last [`StallWatch::advance`], unless something came since.
    pub(super) fn is_stalled(&self) -> bool {
        self.is_stalled
    }

    /// Advances to `now`; `tick_hz` is the room's tick rate, if in a room.
    pub(super) fn advance(&mut self, now: Duration, tick_hz: Option<u32>) {
        let gap = now.saturating_sub(self.last.unwrap_or(now)).min(GAP_MAX);
        self.last = Some(now);
        self.datagrams = tick_hz.map_or(Duration::ZERO, |_| self.datagrams + gap);
        self.streams = if self.is_asking { self.streams + gap } else { Duration::ZERO };
        let is_silent = tick_hz.is_some_and(|tick_hz| {
            let ticks = Duration::from_secs(1) * STALL_TICKS / tick_hz.max(1);
            self.datagrams >= self.stall.max(ticks)
        });
        self.is_stalled = is_silent || self.streams >= STALL;
    }
}

impl Session {
    /// True if the connection is open and brings nothing: no datagram in a room for three seconds, or no answer to a request.
    /// Open another one then, and if this one still says nothing once that is open, leave it: call [`Session::handle_lost`],
    /// [`Session::poll_reconnect`] and [`Session::resume`]. As of the last [`Session::update`].
    pub fn is_stalled(&self) -> bool {
        let is_open = self.resume.is_connected() || self.resume.awaits_answer();
        !self.is_over() && is_open && self.stall.is_stalled()
    }

    pub(super) fn advance_stall(&mut self, now: Duration) {
        let tick_hz = self.welcome.as_ref().map(|welcome| welcome.schema.tick_hz);
        self.stall.advance(now, tick_hz.filter(|_| self.room.is_some()));
    }

    /// Another connection carries the session; `watch` is for that.
    pub(super) fn watch_anew(&mut self, watch: StallWatch) {
        self.stall = watch;
        // What is asked again is answered on a stream.
        if self.resume.is_unanswered() {
            self.stall.asked();
        }
    }
}

#[cfg(test)]
mod tests {
    use tickwire_shared::control::{RequestId, ServerChat, ServerFrame, ServerTopics};

    use super::*;
    use crate::session::SubscribeOptions;
    use crate::session::tests::{bytes_of, resumable_within};

    const STEP: Duration = Duration::from_millis(50);

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Advances every 50 ms from `from` until it stalls, or for `lasts`. The time until it did.
    fn stalls_after(
        watch: &mut StallWatch,
        (from, lasts): (Duration, Duration),
        tick_hz: Option<u32>,
        mut each: impl FnMut(&mut StallWatch, Duration),
    ) -> Option<Duration> {
        let mut now = from;
        while now <= from + lasts {
            each(watch, now);
            watch.advance(now, tick_hz);
            if watch.is_stalled() {
                return Some(now - from);
            }
            now += STEP;
        }
        None
    }

    const LONG: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(60));

    #[test]
    fn a_room_without_a_datagram_for_three_seconds_stalls_and_one_that_has_them_does_not() {
        let silent = |_: &mut StallWatch, _| {};
        let mut watch = StallWatch::default();
        assert_eq!(stalls_after(&mut watch, LONG, Some(60), silent), Some(ms(3000)));
        let now_and_then = |watch: &mut StallWatch, now: Duration| {
            if now.as_millis().is_multiple_of(2000) {
                watch.heard_datagram();
            }
        };
        let mut watch = StallWatch::default();
        assert_eq!(stalls_after(&mut watch, LONG, Some(60), now_and_then), None);
        assert!(watch.datagrams < ms(2000));
    }

    #[test]
    fn outside_of_a_room_no_datagram_is_due() {
        let mut watch = StallWatch::default();
        assert_eq!(stalls_after(&mut watch, LONG, None, |_, _| {}), None);
    }

    #[test]
    fn a_slow_game_has_the_time_of_twelve_snapshots() {
        let mut watch = StallWatch::default();
        assert_eq!(stalls_after(&mut watch, LONG, Some(2), |_, _| {}), Some(ms(6000)));
    }

    #[test]
    fn a_request_without_an_answer_stalls_though_datagrams_come() {
        let hear = |watch: &mut StallWatch, _| watch.heard_datagram();
        let mut watch = StallWatch::default();
        assert_eq!(stalls_after(&mut watch, (ms(0), ms(10_000)), Some(60), hear), None);
        watch.asked();
        let late = stalls_after(&mut watch, (ms(10_050), ms(10_000)), Some(60), hear);
        assert_eq!(late, Some(ms(2950)));
        watch.heard_stream();
        assert!(!watch.is_stalled());
        assert_eq!(stalls_after(&mut watch, (ms(30_000), ms(10_000)), Some(60), hear), None);
    }

    #[test]
    fn time_in_which_nobody_called_counts_as_a_moment() {
        let silent = |_: &mut StallWatch, _| {};
        let mut watch = StallWatch::default();
        assert_eq!(stalls_after(&mut watch, (ms(0), ms(1000)), Some(60), silent), None);
        watch.advance(ms(60_000), Some(60));
        assert_eq!(watch.datagrams, ms(1250));
        // What waited is read first after such a time.
        watch.heard_datagram();
        assert_eq!(stalls_after(&mut watch, (ms(60_050), ms(2900)), Some(60), silent), None);
    }

    #[test]
    fn a_connection_that_brought_no_datagram_yet_has_a_second_for_the_first() {
        let mut watch = StallWatch::unproven();
        assert_eq!(stalls_after(&mut watch, LONG, Some(60), |_, _| {}), Some(ms(1000)));
        let mut watch = StallWatch::unproven();
        watch.heard_datagram();
        assert_eq!(stalls_after(&mut watch, LONG, Some(60), |_, _| {}), Some(ms(3000)));
    }

    #[test]
    fn an_answer_that_is_due_from_the_beginning_stalls_outside_of_a_room_too() {
        let mut watch = StallWatch::asking();
        assert_eq!(stalls_after(&mut watch, LONG, None, |_, _| {}), Some(ms(3000)));
    }

    /// Updates every 50 ms for `lasts`. The time until it stalls, if it does.
    fn silent_for(session: &mut Session, from: Duration, lasts: Duration) -> Option<Duration> {
        let times = (0..).map(|step| STEP * step).take_while(|time| *time <= lasts);
        let mut stalls = times.filter(|time| {
            session.update(from + *time);
            session.is_stalled()
        });
        stalls.next()
    }

    #[test]
    fn a_session_stalls_while_its_connection_is_open_and_an_answer_is_due() {
        let mut session = resumable_within(600_000);
        let minute = Duration::from_secs(60);
        assert_eq!(silent_for(&mut session, ms(0), minute), None, "nothing is due");
        session.say("is anybody there?");
        assert_eq!(silent_for(&mut session, minute, minute), Some(ms(3000)));
        session.handle_chat(&bytes_of(&[notice()])).unwrap();
        assert!(!session.is_stalled(), "the connection speaks");

        // Without a connection there is no silent one.
        assert!(session.handle_lost(2 * minute, ""));
        assert_eq!(silent_for(&mut session, 2 * minute, minute), None);
        assert!(session.poll_reconnect(3 * minute));
        session.resume();
        assert_eq!(silent_for(&mut session, 3 * minute, minute), Some(ms(3000)));
        let resumed = ServerFrame::Resumed { next: RequestId(1) };
        session.handle_control(4 * minute, &bytes_of(&[resumed])).unwrap();
        assert!(!session.is_stalled());
        // What is asked again is due over the new connection too.
        assert_eq!(silent_for(&mut session, 4 * minute, minute), Some(ms(3000)));
    }

    #[test]
    fn messages_of_topics_before_an_answer_show_that_the_connection_works() {
        let mut session = resumable_within(600_000);
        let (id, _) = session.subscribe("log", SubscribeOptions::default());
        assert_eq!(silent_for(&mut session, ms(0), ms(2900)), None);
        let (topic, name) = (1, "log".to_owned());
        let (epoch, after, is_continued) = (1, 0, false);
        let following =
            ServerTopics::Following { subscription: id, topic, name, epoch, after, is_continued };
        session.handle_topics(&bytes_of(&[following])).unwrap();
        assert_eq!(silent_for(&mut session, ms(2950), ms(2900)), None);
    }

    fn notice() -> ServerChat {
        ServerChat::Notice { id: 1, time_ms: 0, text: "a notice".to_owned() }
    }
}
