//! A session between two connections.

use std::time::Duration;

use tickwire_shared::PlayerId;
use tickwire_shared::control::{
    ClientChat, ClientFrame, CloseCode, ContentHash, FrameReader, Received, RequestId,
    ResumeSecret, STREAM_CHAT, ServerChat, ServerFrame, ServerRun,
};

use crate::session::tests::{bytes_of, restarted, resumable_within};
use crate::session::{ConnectionEvent, MoveOutcome, MoveStart, Session, SessionEvent};

const SECOND: Duration = Duration::from_secs(1);
const ZERO: Duration = Duration::ZERO;

fn requests<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Vec<T> {
    let mut reader = FrameReader::default();
    reader.push(bytes);
    std::iter::from_fn(|| reader.poll().unwrap()).collect()
}

/// A session whose connection works and whose hello is sent.
fn connected() -> Session {
    let mut session = resumable_within(30_000);
    session.take_control();
    session.take_chat();
    told(&mut session);
    session
}

fn notice(text: &str) -> ServerFrame {
    ServerFrame::Notice(text.to_owned())
}

fn chat(text: &str) -> ServerChat {
    ServerChat::Notice { id: 1, time_ms: 0, text: text.to_owned() }
}

fn resumed(next: u32) -> ServerFrame {
    ServerFrame::Resumed { next: RequestId(next) }
}

/// The texts of all notices, and the names of the other events.
fn told(session: &mut Session) -> Vec<String> {
    let name = |event| match event {
        SessionEvent::Control(ServerFrame::Notice(text))
        | SessionEvent::Chat(ServerChat::Notice { text, .. }) => text,
        SessionEvent::Connection(state) => match state {
            ConnectionEvent::Reconnecting { .. } => "reconnecting".to_owned(),
            ConnectionEvent::Resumed { .. } => "resumed".to_owned(),
            ConnectionEvent::Moved => "moved".to_owned(),
        },
        SessionEvent::Over { .. } => "over".to_owned(),
        SessionEvent::Control(ServerFrame::Welcome { .. }) => "welcome".to_owned(),
        other => format!("{other:?}"),
    };
    std::iter::from_fn(|| session.poll_event()).map(name).collect()
}

#[test]
fn what_comes_over_both_connections_is_told_once_and_in_order() {
    let mut session = connected();
    let MoveStart { control, chat: first } = session.begin_move(ZERO).unwrap();
    assert_eq!(first, [STREAM_CHAT]);
    let asked = requests::<ClientFrame>(&control[1..]);
    let received = Received { control: 1, chat: 0 };
    let (player, secret) = (PlayerId(1), ResumeSecret([7; 16]));
    let (run, unanswered, next) = (ServerRun(1), Vec::new(), RequestId(1));
    assert_eq!(asked, [ClientFrame::Resume { player, secret, run, received, unanswered, next }]);

    // The old connection brings two frames of each stream, and half a frame.
    let half = &bytes_of(&[notice("c")])[..7];
    session
        .handle_control(ZERO, &[bytes_of(&[notice("a"), notice("b")]), half.into()].concat())
        .unwrap();
    session.handle_chat(&bytes_of(&[chat("1"), chat("2")])).unwrap();
    assert_eq!(told(&mut session), ["a", "b", "1", "2"]);
    // Chat overtakes the answer, after which all of it comes again and more.
    assert_eq!(
        session.handle_move_chat(&bytes_of(&[chat("1"), chat("2"), chat("3")])),
        MoveOutcome::Pending
    );
    assert_eq!(told(&mut session), [""; 0]);
    let again = [resumed(1), notice("a"), notice("b"), notice("c")];
    assert_eq!(session.handle_move_control(ZERO, &bytes_of(&again)), Ok(MoveOutcome::Moved));
    assert_eq!(told(&mut session), ["moved", "c", "3"]);
    session.handle_control(ZERO, &bytes_of(&[notice("d")])).unwrap();
    session.handle_chat(&bytes_of(&[chat("4")])).unwrap();
    assert_eq!(told(&mut session), ["d", "4"]);
    assert!(!session.is_moving());
}

#[test]
fn requests_go_over_the_old_connection_and_those_not_taken_again_over_the_new_one() {
    let mut session = connected();
    session.begin_move(ZERO).unwrap();
    session.leave();
    session.say("first");
    session.say("second");
    let control = requests::<ClientFrame>(&session.take_control());
    assert_eq!(control, [ClientFrame::Leave { request: RequestId(1) }]);
    assert_eq!(requests::<ClientChat>(&session.take_chat()).len(), 2);
    // The server took the first two.
    session.handle_move_control(ZERO, &bytes_of(&[resumed(3)])).unwrap();
    assert!(session.take_control().is_empty());
    let text = "second".to_owned();
    let again = requests::<ClientChat>(&session.take_chat());
    assert_eq!(again, [ClientChat::Say { request: RequestId(3), text }]);
}

#[test]
fn a_refusal_ends_the_move_and_not_the_session() {
    let mut session = connected();
    session.begin_move(ZERO).unwrap();
    let code = CloseCode::ResumeRefused;
    let refusal = ServerFrame::Goodbye { code, text: "no".to_owned() };
    assert_eq!(session.handle_move_control(ZERO, &bytes_of(&[refusal])), Ok(MoveOutcome::Failed));
    session.handle_control(ZERO, &bytes_of(&[notice("a")])).unwrap();
    assert_eq!(told(&mut session), ["a"]);
    session.say("still here");
    assert!(!session.take_chat().is_empty());
    assert!(session.begin_move(ZERO).is_some(), "it may be tried again");
}

#[test]
fn a_connection_that_the_server_leaves_for_the_new_one_is_no_loss() {
    let mut session = connected();
    session.begin_move(ZERO).unwrap();
    assert!(session.handle_lost(ZERO, "the session goes on over another connection"));
    session.update(SECOND);
    assert!(!session.is_reconnecting());
    session.say("meanwhile");
    session.handle_move_control(SECOND, &bytes_of(&[resumed(1)])).unwrap();
    assert_eq!(told(&mut session), ["moved"]);
    assert_eq!(requests::<ClientChat>(&session.take_chat()).len(), 1);
    session.update(10 * SECOND);
    assert_eq!(told(&mut session), [""; 0]);
}

#[test]
fn without_an_answer_the_loss_of_the_old_connection_is_one() {
    let mut session = connected();
    session.begin_move(ZERO).unwrap();
    assert!(session.handle_lost(SECOND, "cut"));
    session.update(3 * SECOND);
    assert_eq!(told(&mut session), ["reconnecting"]);
    assert!(session.is_reconnecting() && !session.is_moving());
    assert!(session.poll_reconnect(3 * SECOND));
    // The new connection is no longer heard.
    assert_eq!(
        session.handle_move_control(ZERO, &bytes_of(&[resumed(1)])),
        Ok(MoveOutcome::Failed)
    );
    session.resume();
    session.take_control();
    session.handle_control(4 * SECOND, &bytes_of(&[resumed(1), notice("a")])).unwrap();
    assert_eq!(told(&mut session), ["resumed", "a"]);
}

#[test]
fn both_connections_lost_are_a_loss_at_once() {
    let mut session = connected();
    session.begin_move(ZERO).unwrap();
    session.handle_lost(SECOND, "cut");
    session.cancel_move();
    assert_eq!(told(&mut session), ["reconnecting"]);
    // With the new one alone the old one goes on.
    let mut session = connected();
    session.begin_move(ZERO).unwrap();
    session.cancel_move();
    assert_eq!(told(&mut session), [""; 0]);
}

#[test]
fn the_server_keeps_what_the_request_lacks() {
    let reports = |session: &mut Session, now| {
        session.update(now);
        let sent = requests::<ClientFrame>(&session.take_control());
        sent.iter().filter(|frame| matches!(frame, ClientFrame::Received(_))).count()
    };
    let mut session = connected();
    reports(&mut session, ZERO);
    session.begin_move(ZERO).unwrap();
    session.handle_control(ZERO, &bytes_of(&vec![notice("a"); 100])).unwrap();
    assert_eq!(reports(&mut session, SECOND), 0);
    // But not for ever.
    assert_eq!(reports(&mut session, 6 * SECOND), 1);
}

#[test]
fn a_session_that_cannot_go_on_as_it_is_does_not_move() {
    let mut session = Session::resumable("client", None);
    assert_eq!(session.begin_move(ZERO), None, "before the welcome");
    let mut session = connected();
    session.begin_move(ZERO).unwrap();
    assert_eq!(session.begin_move(ZERO), None, "moving already");
    let mut session = connected();
    session.handle_lost(ZERO, "cut");
    assert_eq!(session.begin_move(ZERO), None, "without a connection");
    let mut session = connected();
    let hash = ContentHash([3; 32]);
    let data = ServerFrame::StaticData { key: 1, hash, bytes: 9, tick: tickwire_shared::Tick(1) };
    session.handle_control(ZERO, &bytes_of(&[data])).unwrap();
    session.give_static(hash, None);
    assert_eq!(session.begin_move(ZERO), None, "its static data would begin again");
}

#[test]
fn a_server_that_was_started_again_meanwhile_counts_from_zero() {
    let mut session = connected();
    session.begin_move(ZERO).unwrap();
    session.handle_control(ZERO, &bytes_of(&[notice("a"), notice("b")])).unwrap();
    session.handle_lost(ZERO, "killed");
    session.say("kept");
    session.handle_move_control(ZERO, &bytes_of(&[restarted(2), notice("c")])).unwrap();
    assert_eq!(told(&mut session), ["a", "b", "moved", "c"]);
    assert_eq!(requests::<ClientChat>(&session.take_chat()).len(), 1);
}

/// The last report of received frames at `now`.
fn reported(session: &mut Session, now: Duration) -> Option<Received> {
    session.update(now);
    let sent = requests::<ClientFrame>(&session.take_control());
    let mut reports = sent.into_iter().filter_map(|frame| match frame {
        ClientFrame::Received(received) => Some(received),
        _ => None,
    });
    reports.next_back()
}

/// Opens another connection after the loss of all; the frames that the request names.
fn resume_with(session: &mut Session, now: Duration) -> Received {
    assert!(session.poll_reconnect(now));
    session.resume();
    session.take_chat();
    match &requests::<ClientFrame>(&session.take_control()[1..])[..] {
        [ClientFrame::Resume { received, .. }] => *received,
        other => panic!("{other:?}"),
    }
}

/// A session that has moved, and heard over the old connection two frames of chat that have not come again.
fn moved_before_its_chat() -> Session {
    let mut session = connected();
    reported(&mut session, ZERO);
    session.begin_move(ZERO).unwrap();
    session.handle_chat(&bytes_of(&[chat("1"), chat("2")])).unwrap();
    session.handle_move_control(ZERO, &bytes_of(&[resumed(1)])).unwrap();
    assert_eq!(told(&mut session), ["1", "2", "moved"]);
    session
}

#[test]
fn frames_that_the_server_has_not_written_again_are_not_reported() {
    let mut session = moved_before_its_chat();
    session.handle_control(ZERO, &bytes_of(&vec![notice("a"); 40])).unwrap();
    assert_eq!(reported(&mut session, ZERO), Some(Received { control: 41, chat: 0 }));
    session.handle_chat(&bytes_of(&[chat("1"), chat("2"), chat("3")])).unwrap();
    assert_eq!(reported(&mut session, SECOND), Some(Received { control: 41, chat: 3 }));
    assert_eq!(told(&mut session).last().unwrap(), "3");
}

#[test]
fn a_loss_after_a_move_asks_for_what_was_not_written_again() {
    let mut session = moved_before_its_chat();
    session.handle_lost(SECOND, "cut");
    assert_eq!(resume_with(&mut session, SECOND), Received { control: 1, chat: 0 });
    session.handle_control(SECOND, &bytes_of(&[resumed(1)])).unwrap();
    session.handle_chat(&bytes_of(&[chat("1"), chat("2"), chat("3")])).unwrap();
    assert_eq!(told(&mut session), ["reconnecting", "resumed", "3"]);
}

#[test]
fn a_move_that_the_server_may_have_taken_counts_from_its_request() {
    // The new connection fails, and the old one is lost then, before, or much later.
    for (old_first, later) in [(false, SECOND), (true, SECOND), (false, 10 * SECOND)] {
        let mut session = connected();
        reported(&mut session, ZERO);
        session.begin_move(ZERO).unwrap();
        session.handle_chat(&bytes_of(&[chat("1"), chat("2")])).unwrap();
        if old_first {
            session.handle_lost(ZERO, "cut");
        }
        session.cancel_move();
        let had = if later > 5 * SECOND {
            // Reported by then, and so the server has not taken it.
            assert_eq!(reported(&mut session, later), Some(Received { control: 1, chat: 2 }));
            2
        } else {
            assert_eq!(reported(&mut session, later), None);
            0
        };
        if !old_first {
            session.handle_lost(later, "cut");
        }
        assert_eq!(resume_with(&mut session, later), Received { control: 1, chat: had });
        session.handle_control(later, &bytes_of(&[resumed(1)])).unwrap();
        let texts = ["1", "2", "3"].map(chat);
        session.handle_chat(&bytes_of(&texts[had as usize..])).unwrap();
        assert_eq!(told(&mut session), ["1", "2", "reconnecting", "resumed", "3"]);
    }
}

#[test]
fn nothing_that_a_killed_server_would_have_repeated_is_skipped_of_the_next_one() {
    let mut session = connected();
    session.begin_move(ZERO).unwrap();
    session.handle_control(ZERO, &bytes_of(&[notice("a"), notice("b")])).unwrap();
    session.handle_chat(&bytes_of(&[chat("1")])).unwrap();
    session.handle_move_control(ZERO, &bytes_of(&[resumed(1)])).unwrap();
    // It is killed before it has repeated them.
    session.begin_move(ZERO).unwrap();
    session.handle_lost(ZERO, "killed");
    session.handle_move_chat(&bytes_of(&[chat("2")]));
    let anew = bytes_of(&[restarted(2), notice("c"), notice("d")]);
    session.handle_move_control(ZERO, &anew).unwrap();
    assert_eq!(told(&mut session), ["a", "b", "1", "moved", "moved", "c", "d", "2"]);
}
