//! A player's commands reach the game once and in order, or are refused with a text.

use tickwire_shared::command::{COMMAND_BYTES_MAX, CommandCodec};
use tickwire_shared::control::{ClientFrame, RefuseCode, RequestId, ServerFrame};
use tickwire_shared::quantize::Kinds as _;
use tickwire_shared::simulation::schema_of;

use crate::client::{Client, Over};
use crate::game::{Clear, Digit, Dots, Edit, Keys};
use crate::harness::{Running, soon};

/// The frame of a command.
pub(crate) fn command(edit: Edit) -> impl FnOnce(RequestId) -> ClientFrame {
    let mut lanes = [0];
    edit.to_lanes(&mut lanes);
    let kind = edit.kind();
    let fields = CommandCodec::new(&schema_of::<Dots>()).encode(kind, &lanes).unwrap();
    raw(kind, fields)
}

fn raw(kind: u8, fields: Vec<u8>) -> impl FnOnce(RequestId) -> ClientFrame {
    move |request| ClientFrame::Command { request, kind, fields }
}

pub(crate) fn digit(digit: u8) -> Edit {
    Edit::Digit(Digit { digit })
}

/// The next answer; skips other frames.
pub(crate) async fn answer(client: &mut Client) -> ServerFrame {
    client.hear_until(|frame| frame.answers().is_some().then_some(frame)).await
}

async fn assert_refused(client: &mut Client, request: RequestId, wanted: RefuseCode) {
    match answer(client).await {
        ServerFrame::Refused { request: answered, code, text } => {
            assert_eq!((answered, code), (request, wanted), "{text}");
            assert!(!text.is_empty());
        }
        other => panic!("{other:?}"),
    }
}

/// Waits until the client sees these steps of its dot.
pub(crate) async fn until_steps(client: &mut Client, wanted: i32) {
    soon("the effect of commands", async {
        while client.steps() != Some(wanted) {
            client.play(Keys::default()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn commands_written_at_once_come_to_the_game_in_order_each_once() {
    // Two a tick: more commands come later, still in order.
    let server = Running::start_with(|config| config.room.commands_per_tick_max = 2).await;
    for over in Over::ALL {
        let mut client = server.player(over, "sums", &format!("{over:?}")).await;
        let mut asked = vec![client.ask(command(digit(9))).await];
        asked.push(client.ask(command(Edit::Clear(Clear {}))).await);
        for number in 1..=5 {
            asked.push(client.ask(command(digit(number))).await);
        }
        for request in asked {
            assert_eq!(answer(&mut client).await, ServerFrame::Done { request }, "{over:?}");
        }
        until_steps(&mut client, 12345).await;
    }
}

#[tokio::test]
async fn what_is_written_after_a_command_finds_it_done() {
    let server = Running::start().await;
    for over in Over::ALL {
        let mut client = server.player(over, "after", "x").await;
        let edited = client.ask(command(digit(7))).await;
        let left = client.ask(|request| ClientFrame::Leave { request }).await;
        let late = client.ask(command(digit(8))).await;
        assert_eq!(answer(&mut client).await, ServerFrame::Done { request: edited });
        assert_eq!(answer(&mut client).await, ServerFrame::Left { request: left });
        assert_refused(&mut client, late, RefuseCode::NotInRoom).await;
        client.join("after", "x").await;
        let last = client.ask(command(digit(9))).await;
        client.ask(|request| ClientFrame::Goodbye { request }).await;
        assert_eq!(answer(&mut client).await, ServerFrame::Done { request: last }, "{over:?}");
    }
}

#[tokio::test]
async fn a_command_that_is_none_is_refused_and_the_session_goes_on() {
    let server = Running::start().await;
    let mut client = server.player(Over::Quic, "odd", "x").await;
    let wrong = [
        (2, vec![]),
        (u8::MAX, vec![1]),
        (0, vec![]),
        (0, vec![9]),
        (0, vec![0b10_0000]),
        (0, vec![0, 0]),
        (1, vec![0]),
        (0, vec![0; COMMAND_BYTES_MAX]),
        (0, vec![0; COMMAND_BYTES_MAX + 1]),
        (0, vec![0; 60_000]),
    ];
    let count = wrong.len();
    for (kind, fields) in wrong {
        let request = client.ask(raw(kind, fields)).await;
        assert_refused(&mut client, request, RefuseCode::CommandInvalid).await;
    }
    assert_eq!(server.stats().await["commands_refused"], count);
    let request = client.ask(command(digit(4))).await;
    assert_eq!(answer(&mut client).await, ServerFrame::Done { request });
    until_steps(&mut client, 4).await;
}

#[tokio::test]
async fn who_has_no_seat_has_no_commands() {
    let server = Running::start().await;
    let _player = server.player(Over::Quic, "stand", "player").await;
    let mut client = server.greeted(Over::WebSocket).await;
    let request = client.ask(command(digit(1))).await;
    assert_refused(&mut client, request, RefuseCode::NotInRoom).await;
    let (room, name) = ("stand".to_owned(), "watcher".to_owned());
    client.ask(|request| ClientFrame::Spectate { request, room, name, password: "".into() }).await;
    client.joined().await;
    let request = client.ask(command(digit(1))).await;
    assert_refused(&mut client, request, RefuseCode::NotPlaying).await;
    assert_eq!(server.stats().await["commands_refused"], 2);
}

#[tokio::test]
async fn commands_beyond_the_rate_are_refused_and_count_as_frames() {
    let server = Running::start_with(|config| {
        (config.commands_burst, config.commands_hz) = (3, 1);
        (config.control_frames_burst, config.control_frames_hz) = (10_000, 10_000);
    })
    .await;
    let mut client = server.player(Over::Quic, "fast", "x").await;
    for _ in 0..20 {
        client.ask(command(digit(1))).await;
    }
    let (mut done, mut refused) = (0, 0);
    for _ in 0..20 {
        match answer(&mut client).await {
            ServerFrame::Done { .. } => done += 1,
            ServerFrame::Refused { code: RefuseCode::CommandTooFast, .. } => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    // The machine would need seconds to admit more than the burst.
    assert!(done >= 3 && refused >= 1, "{done} done, {refused} refused");
    assert_eq!(server.stats().await["commands_refused"], refused);
}
