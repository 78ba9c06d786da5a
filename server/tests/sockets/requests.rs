//! Each request is answered once, after its effect, and takes effect in the order of writing.

use std::collections::BTreeMap;
use std::time::Duration;

use tickwire_shared::PlayerId;
use tickwire_shared::control::{
    ClientChat, ClientFrame, RefuseCode, RequestId, RoomChoice, RoomQuery, ServerChat, ServerFrame,
};

use crate::client::{Client, Over};
use crate::harness::{Running, soon};

fn join(room: &str, name: &str) -> impl FnOnce(RequestId) -> ClientFrame {
    let (room, name) = (RoomChoice::Named(room.to_owned()), name.to_owned());
    |request| ClientFrame::Join { request, room, name, options: "".into(), password: "".into() }
}

fn leave(request: RequestId) -> ClientFrame {
    ClientFrame::Leave { request }
}

/// The next answer on the control stream; skips other frames.
async fn answer(client: &mut Client) -> ServerFrame {
    client.hear_until(|frame| frame.answers().is_some().then_some(frame)).await
}

/// The next answer on the chat stream: its number, and the refuse code if refused.
async fn chat_answer(client: &mut Client) -> (RequestId, Option<RefuseCode>) {
    loop {
        match client.hear_chat().await {
            ServerChat::Message(message) if message.from == client.player => {
                return (message.request, None);
            }
            ServerChat::Refused { request, code, .. } => return (request, Some(code)),
            _ => {}
        }
    }
}

/// A server that permits any number of joins and leaves.
async fn server() -> Running {
    Running::start_with(|config| {
        config.control_frames_burst = 10_000;
        config.control_frames_hz = 10_000;
        config.joins_burst = 10_000;
        config.commands_burst = 10_000;
        config.room.chat_burst_messages = 1000;
        config.room.kick_return_s = 0;
    })
    .await
}

#[tokio::test]
async fn two_leaves_at_once_are_both_answered() {
    let server = server().await;
    for over in Over::ALL {
        let mut client = server.player(over, "twice", "x").await;
        let first = client.ask(leave).await;
        let second = client.ask(leave).await;
        assert_eq!(answer(&mut client).await, ServerFrame::Left { request: first });
        match answer(&mut client).await {
            ServerFrame::Refused { request, code, .. } => {
                assert_eq!((request, code), (second, RefuseCode::NotInRoom));
            }
            other => panic!("{other:?}"),
        }
        let third = client.ask(join("twice", "x")).await;
        assert_eq!(answer(&mut client).await.answers(), Some(third));
        let last = client.ask(leave).await;
        assert_eq!(answer(&mut client).await, ServerFrame::Left { request: last });
    }
}

/// Datagrams of an earlier stay are known by its seat number, also those of another room.
#[tokio::test]
async fn each_stay_of_a_session_has_the_next_seat_number() {
    let server = server().await;
    let _ann = server.player(Over::Quic, "here", "Ann").await;
    for over in Over::ALL {
        let mut client = server.greeted(over).await;
        for stay in 1..=6u8 {
            client.ask(join(if stay % 3 == 0 { "there" } else { "here" }, "x")).await;
            let seat = client
                .hear_until(|frame| match frame {
                    ServerFrame::Joined { seat, .. } => Some(seat),
                    _ => None,
                })
                .await;
            assert_eq!(seat, stay, "over {over:?}");
            client.ask(leave).await;
            answer(&mut client).await;
        }
    }
}

#[tokio::test]
async fn a_join_after_an_answered_leave_or_refusal_holds() {
    let server = server().await;
    let _ann = server.player(Over::Quic, "r0", "Ann").await;
    for over in Over::ALL {
        let mut client = server.greeted(over).await;
        for round in 0..40 {
            client.ask(join("r0", "ann")).await;
            match answer(&mut client).await {
                ServerFrame::Refused { code, .. } => assert_eq!(code, RefuseCode::NameTaken),
                other => panic!("in round {round} over {over:?}: {other:?}"),
            }
            let request = client.ask(join(&format!("r{}", round % 3), "x")).await;
            match answer(&mut client).await {
                ServerFrame::Joined { request: answered, .. } => assert_eq!(answered, request),
                other => panic!("in round {round} over {over:?}: {other:?}"),
            }
            let request = client.ask(leave).await;
            assert_eq!(answer(&mut client).await, ServerFrame::Left { request });
        }
    }
}

#[tokio::test]
async fn what_is_written_in_order_holds_in_order_without_waiting() {
    let server = server().await;
    for over in Over::ALL {
        let mut client = server.greeted(over).await;
        let mut asked = Vec::new();
        for round in 0..20 {
            let joined = client.ask(join(&format!("o{}", round % 2), "x")).await;
            let said = client.say_chat("hello").await;
            asked.push((joined, said, client.ask(leave).await));
        }
        for (joined, said, left) in asked {
            let what = format!("{joined:?} over {over:?}");
            match answer(&mut client).await {
                ServerFrame::Joined { request, .. } => assert_eq!(request, joined, "{what}"),
                other => panic!("{what}: {other:?}"),
            }
            assert_eq!(chat_answer(&mut client).await, (said, None), "{what}");
            assert_eq!(answer(&mut client).await, ServerFrame::Left { request: left }, "{what}");
        }
    }
}

#[tokio::test]
async fn chat_that_overtakes_the_join_before_it_waits() {
    let server = server().await;
    for over in Over::ALL {
        let mut client = server.greeted(over).await;
        let joining = client.number();
        let said = client.say_chat("early").await;
        // The delay of a control stream that lost a packet once.
        tokio::time::sleep(Duration::from_millis(150)).await;
        client.say(&join("late", "x")(joining)).await;
        assert_eq!(answer(&mut client).await.answers(), Some(joining));
        assert_eq!(chat_answer(&mut client).await, (said, None), "{over:?}");
        let said = client.say_chat("bye").await;
        client.ask(leave).await;
        assert_eq!(chat_answer(&mut client).await, (said, None), "{over:?}");
        answer(&mut client).await;
    }
}

#[tokio::test]
async fn a_number_left_out_holds_chat_up_for_a_while_and_not_for_good() {
    let server = Running::start_with(|config| config.request_wait_ms = 100).await;
    let mut client = server.player(Over::Quic, "gap", "x").await;
    client.requests += 1;
    let said = client.say_chat("is anyone counting?").await;
    assert_eq!(chat_answer(&mut client).await, (said, None));
}

#[tokio::test]
async fn a_kick_is_answered_itself() {
    let server = server().await;
    let mut host = server.player(Over::Quic, "court", "host").await;
    let mut goes = server.player(Over::Quic, "court", "goes").await;
    let stays = server.player(Over::Quic, "court", "stays").await;
    // One leaves by itself just before it would be removed; the other is removed.
    goes.ask(leave).await;
    answer(&mut goes).await;
    let kick = |player: PlayerId| {
        move |request| ClientFrame::Kick { request, player, reason: "rude".to_owned() }
    };
    let gone = host.ask(kick(goes.player)).await;
    let removed = host.ask(kick(stays.player)).await;
    match answer(&mut host).await {
        ServerFrame::Refused { request, code, .. } => {
            assert_eq!((request, code), (gone, RefuseCode::NoSuchPlayer));
        }
        other => panic!("{other:?}"),
    }
    // The members heard of it before the answer came.
    let mut heard = Vec::new();
    loop {
        match host.hear().await {
            ServerFrame::MemberLeft { player, .. } => heard.push(player),
            ServerFrame::Done { request } => {
                assert_eq!((request, heard.as_slice()), (removed, &[stays.player][..]));
                break;
            }
            _ => {}
        }
    }
}

/// An endless sequence of numbers from a seed (a linear congruential generator).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % sides
    }
}

/// Writes a random request.
async fn ask_something(client: &mut Client, dice: &mut Dice, players: &[PlayerId]) {
    let room = format!("room{}", dice.roll(2));
    let player = players[dice.roll(players.len() as u32) as usize];
    let name = format!("name{}", dice.roll(3));
    match dice.roll(11) {
        0 | 1 => client.ask(join(&room, &name)).await,
        2 => {
            client
                .ask(|request| ClientFrame::Spectate { request, room, name, password: "".into() })
                .await
        }
        3 => client.ask(leave).await,
        4 => {
            client
                .ask(|request| ClientFrame::ListRooms { request, query: RoomQuery::default() })
                .await
        }
        5 => {
            let reason = String::new();
            client.ask(|request| ClientFrame::Kick { request, player, reason }).await
        }
        6 => client.say_chat("hello").await,
        // Some of them are invalid commands.
        7..10 => {
            let (kind, fields) =
                (dice.roll(3) as u8, vec![dice.roll(10) as u8; dice.roll(3) as usize]);
            client.ask(|request| ClientFrame::Command { request, kind, fields }).await
        }
        _ => {
            let (request, text) = (client.number(), "psst".to_owned());
            let tell = ClientChat::Tell { request, player, text };
            client.chat.as_mut().unwrap().write(&tell).await;
            request
        }
    };
}

#[tokio::test]
async fn whatever_is_asked_at_random_each_request_is_answered_exactly_once() {
    let server = server().await;
    let mut clients = Vec::new();
    for over in [Over::Quic, Over::WebTransport, Over::WebSocket, Over::Quic] {
        clients.push(server.greeted(over).await);
    }
    let players: Vec<_> = clients.iter().map(|client| client.player).collect();
    let mut dice = Dice(0x7469_636b);
    for _ in 0..12 {
        for _ in 0..40 {
            let who = dice.roll(clients.len() as u32) as usize;
            ask_something(&mut clients[who], &mut dice, &players).await;
        }
        for client in &mut clients {
            let answers = answers_until_listed(client).await;
            let twice: Vec<_> = answers.iter().filter(|(_, count)| **count != 1).collect();
            assert!(twice.is_empty(), "answered more than once: {twice:?}");
            let asked: Vec<_> = (1..=client.requests).map(RequestId).collect();
            let answered: Vec<_> = answers.into_keys().collect();
            client.requests_answered += answered.len() as u32;
            assert_eq!(answered, asked[asked.len() - answered.len()..]);
            assert_eq!(client.requests_answered, client.requests, "some have no answer");
        }
    }
}

/// Counts the answers to each request until a list requested now is answered: that answer is the
/// last.
async fn answers_until_listed(client: &mut Client) -> BTreeMap<RequestId, u32> {
    let last =
        client.ask(|request| ClientFrame::ListRooms { request, query: RoomQuery::default() }).await;
    let mut answers = BTreeMap::new();
    loop {
        let request = answer(client).await.answers().expect("an answer");
        *answers.entry(request).or_insert(0) += 1;
        if request == last {
            break;
        }
    }
    // The chat stream may be behind; all requests on it were made before.
    let missing = last.0 - client.requests_answered - answers.len() as u32;
    soon("answers on the chat stream", async {
        for _ in 0..missing {
            *answers.entry(chat_answer(client).await.0).or_insert(0) += 1;
        }
    })
    .await;
    answers
}
