//! Each wrong input ends a session with its own code and text, and affects nobody else.

use std::time::Duration;

use tickwire_shared::PROTOCOL_VERSION;
use tickwire_shared::control::{
    ClientChat, ClientFrame, CloseCode, FRAME_BYTES_MAX, RequestId, RoomChoice, RoomQuery,
    STREAM_CHAT, STREAM_CONTROL, write_frame,
};
use tickwire_shared::schema::{FieldType, Schema};
use tickwire_shared::simulation::schema_of;
use tokio::io::AsyncWriteExt as _;

use crate::client::{Client, Over, hello};
use crate::game::{Dots, Keys};
use crate::harness::{Running, soon};

/// One wrong input, and the expected end.
struct Wrong {
    what: &'static str,
    deed: Deed,
    code: CloseCode,
    /// Words of the expected text.
    says: &'static str,
}

enum Deed {
    /// Bytes on the control stream, instead of the hello.
    Control(Vec<u8>),
    /// Bytes on the control stream, after the hello.
    AfterHello(Vec<u8>),
    /// A stream that begins with these bytes, before any other.
    Stream(Vec<u8>),
    /// The same, after both streams were opened and the hello was sent.
    ThirdStream(Vec<u8>),
    OneWayStream,
    /// Only the control stream and a hello.
    NoChatStream,
    Nothing,
    /// A datagram before the hello. `wtransport` may swallow the first, so it is sent more than
    /// once.
    EarlyDatagram,
    /// A datagram from within a room.
    Datagram(Vec<u8>),
}

impl Deed {
    fn is_possible(&self, over: Over) -> bool {
        match self {
            // A WebSocket has two streams, each opened by its first message.
            Deed::OneWayStream | Deed::ThirdStream(_) => over != Over::WebSocket,
            _ => true,
        }
    }
}

fn frame<T: serde::Serialize>(frame: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(frame, &mut bytes);
    bytes
}

fn other_schema(change: impl Fn(&mut Schema)) -> Vec<u8> {
    let mut schema = schema_of::<Dots>();
    change(&mut schema);
    frame(&ClientFrame::Hello {
        client: "test".to_owned(),
        schema: Some(schema),
        resumable: false,
        token: "".into(),
    })
}

fn too_early() -> Vec<Wrong> {
    let list =
        frame(&ClientFrame::ListRooms { request: RequestId(1), query: RoomQuery::default() });
    let (request, room, name) = (RequestId(1), RoomChoice::Quick, "x".to_owned());
    let join = ClientFrame::Join { request, room, name, options: "".into(), password: "".into() };
    let say = ClientChat::Say { request, text: "hi".to_owned() };
    let chat = [vec![STREAM_CHAT], frame(&say)].concat();
    let code = CloseCode::TooEarly;
    let says = "hello first";
    vec![
        Wrong { what: "a list before hello", deed: Deed::Control(list), code, says },
        Wrong { what: "a join before hello", deed: Deed::Control(frame(&join)), code, says },
        Wrong { what: "chat before hello", deed: Deed::Stream(chat), code, says },
        Wrong { what: "a datagram before hello", deed: Deed::EarlyDatagram, code, says },
    ]
}

fn bad_frames() -> Vec<Wrong> {
    let malformed = CloseCode::MalformedFrame;
    let too_large = CloseCode::FrameTooLarge;
    let hello = frame(&hello());
    let version = [&4u32.to_le_bytes()[..], &[250, 0, 0, 0]].concat();
    let unknown = [&2u32.to_le_bytes()[..], &[PROTOCOL_VERSION, 200]].concat();
    let huge = [&(FRAME_BYTES_MAX as u32 + 1).to_le_bytes()[..], &[PROTOCOL_VERSION]].concat();
    let mut trailing = hello.clone();
    trailing.push(0);
    let length = (trailing.len() - 4) as u32;
    trailing[..4].copy_from_slice(&length.to_le_bytes());
    let mut cut = hello[..hello.len() - 1].to_vec();
    cut[..4].copy_from_slice(&(hello.len() as u32 - 5).to_le_bytes());
    let renamed = other_schema(|schema| schema.game = "chess".to_owned());
    let changed = other_schema(|schema| {
        schema.entities[0].fields[0].ty = FieldType::Int { min: 0, max: 7 };
    });
    let unusable = other_schema(|schema| schema.input.fields[0].ty = FieldType::Angle { bits: 99 });
    let deed = Deed::Control;
    vec![
        Wrong {
            what: "an unknown version",
            deed: deed(version),
            code: CloseCode::VersionMismatch,
            says: "version 250",
        },
        Wrong { what: "a huge frame", deed: deed(huge), code: too_large, says: "65537" },
        Wrong { what: "an empty frame", deed: deed(vec![0; 4]), code: too_large, says: "0 bytes" },
        Wrong { what: "an unknown frame", deed: deed(unknown), code: malformed, says: "update" },
        Wrong { what: "trailing bytes", deed: deed(trailing), code: malformed, says: "update" },
        Wrong { what: "a cut frame", deed: deed(cut), code: malformed, says: "update" },
        Wrong {
            what: "garbage after hello",
            deed: Deed::AfterHello(vec![3, 0, 0, 0, PROTOCOL_VERSION, 0xff, 0xff]),
            code: malformed,
            says: "update",
        },
        Wrong {
            what: "a second hello",
            deed: Deed::AfterHello(hello),
            code: CloseCode::SecondHello,
            says: "twice",
        },
        Wrong {
            what: "another game",
            deed: deed(renamed),
            code: CloseCode::SchemaMismatch,
            says: "chess",
        },
        Wrong {
            what: "a field declared otherwise",
            deed: deed(changed),
            code: CloseCode::SchemaMismatch,
            says: "Dot.steps",
        },
        Wrong {
            what: "a schema that cannot be",
            deed: deed(unusable),
            code: CloseCode::SchemaMismatch,
            says: "Keys.right",
        },
    ]
}

fn bad_streams() -> Vec<Wrong> {
    let code = CloseCode::UnexpectedStream;
    let says = "stream";
    vec![
        Wrong { what: "an unknown stream", deed: Deed::Stream(vec![7]), code, says },
        Wrong {
            what: "a second control stream",
            deed: Deed::ThirdStream(vec![STREAM_CONTROL]),
            code,
            says,
        },
        Wrong { what: "a silent third stream", deed: Deed::ThirdStream(vec![0]), code, says },
        Wrong { what: "a one-way stream", deed: Deed::OneWayStream, code, says },
    ]
}

fn silence() -> Vec<Wrong> {
    let code = CloseCode::HandshakeTimeout;
    let says = "in time";
    let half_hello = [vec![STREAM_CONTROL], frame(&hello())[..6].to_vec()].concat();
    vec![
        Wrong { what: "half a hello", deed: Deed::Stream(half_hello), code, says },
        Wrong { what: "no chat stream", deed: Deed::NoChatStream, code, says },
        Wrong { what: "nothing", deed: Deed::Nothing, code, says },
    ]
}

fn bad_datagrams() -> Vec<Wrong> {
    let code = CloseCode::MalformedDatagram;
    let says = "update";
    let wrong = |what, bytes| Wrong { what, deed: Deed::Datagram(bytes), code, says };
    vec![
        wrong("an empty datagram", Vec::new()),
        wrong("a datagram of garbage", vec![0xff; 60]),
        wrong("a long datagram of garbage", vec![0xa5; 1000]),
    ]
}

async fn commit(wrong: &Wrong, client: &mut Client) {
    match &wrong.deed {
        Deed::Control(bytes) => {
            let bytes = [&[STREAM_CONTROL], &bytes[..]].concat();
            client.control = Some(client.open(&bytes).await);
        }
        Deed::AfterHello(bytes) => {
            client.greet().await;
            let stream = client.control.as_mut().unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream.send, bytes).await.unwrap();
        }
        Deed::Stream(bytes) => client.chat = Some(client.open(bytes).await),
        Deed::ThirdStream(bytes) => {
            client.greet().await;
            let stream = client.open(bytes).await;
            // Keep all streams: dropping one would send more than nothing.
            client.others.push(stream);
        }
        Deed::OneWayStream => {
            client.greet().await;
            client.open_one_way().await;
        }
        Deed::NoChatStream => {
            let bytes = [vec![STREAM_CONTROL], frame(&hello())].concat();
            client.control = Some(client.open(&bytes).await);
        }
        Deed::Nothing => {}
        Deed::EarlyDatagram => {
            for _ in 0..3 {
                client.send_datagram(&[0; 8]);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Deed::Datagram(bytes) => {
            client.greet().await;
            client.join("playground", "wrongdoer").await;
            for _ in 0..3 {
                client.send_datagram(bytes);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

async fn each_ends_as_it_must(table: Vec<Wrong>) {
    let server = Running::start().await;
    let mut bystander = server.player(Over::Quic, "playground", "bystander").await;
    for over in Over::ALL {
        for wrong in table.iter().filter(|wrong| wrong.deed.is_possible(over)) {
            let mut client = server.connect(over).await;
            commit(wrong, &mut client).await;
            ends_as_it_must(wrong, over, &mut client).await;
        }
    }
    let before = bystander.tick;
    while bystander.tick.since(before) < 5 {
        bystander.play(Keys::default()).await;
    }
}

async fn ends_as_it_must(wrong: &Wrong, over: Over, client: &mut Client) {
    let (code, text) = match &client.control {
        Some(_) => client.goodbye().await,
        None => client.closed().await,
    };
    assert_eq!(code, wrong.code, "{} over {over:?}: {text}", wrong.what);
    assert!(text.contains(wrong.says), "{} over {over:?}: {text:?}", wrong.what);
}

#[tokio::test]
async fn what_comes_before_hello() {
    each_ends_as_it_must(too_early()).await;
}

#[tokio::test]
async fn frames_that_cannot_be_read() {
    each_ends_as_it_must(bad_frames()).await;
}

#[tokio::test]
async fn streams_nobody_asked_for() {
    each_ends_as_it_must(bad_streams()).await;
}

#[tokio::test]
async fn what_does_not_come_in_time() {
    let server = Running::start_with(|config| config.handshake_ms = 2500).await;
    let table = silence();
    let mut silent = Vec::new();
    for over in Over::ALL {
        for wrong in table.iter().filter(|wrong| wrong.deed.is_possible(over)) {
            let mut client = server.connect(over).await;
            commit(wrong, &mut client).await;
            silent.push((wrong, over, client));
        }
    }
    for (wrong, over, mut client) in silent {
        ends_as_it_must(wrong, over, &mut client).await;
    }
}

#[tokio::test]
async fn datagrams_that_cannot_be_read() {
    each_ends_as_it_must(bad_datagrams()).await;
}

#[tokio::test]
async fn a_full_server_says_so() {
    let server = Running::start_with(|config| config.connections_max = 1).await;
    let first = server.greeted(Over::Quic).await;
    for over in Over::ALL {
        let mut second = server.connect(over).await;
        second.open_both().await;
        second.say(&hello()).await;
        let (code, text) = second.goodbye().await;
        assert_eq!(code, CloseCode::ServerFull);
        assert!(text.contains("full"));
    }
    drop(first);
    server.until_stats("sessions", |count| count == 0).await;
    server.greeted(Over::Quic).await;
}

#[tokio::test]
async fn inputs_beyond_the_rate_are_dropped_unread() {
    let server = Running::start().await;
    let client = server.player(Over::Quic, "flood", "flooder").await;
    // Garbage beyond the rate must not even be decoded; empty input datagrams are valid.
    let codec = tickwire_shared::input::InputCodec::new(&schema_of::<Dots>());
    let idle = codec
        .encode(tickwire_shared::input::InputHead { seat: client.seat, ..Default::default() }, &[]);
    // Any machine is too fast for the rate of two a tick.
    soon("a drop", async {
        while server.stats().await["inputs_too_fast"].as_u64().unwrap() <= 50 {
            for _ in 0..100 {
                client.send_datagram(&idle);
            }
        }
    })
    .await;
    client.recv_datagram().await;
}

#[tokio::test]
async fn a_frame_that_does_not_end_ends_the_session_on_either_stream() {
    let server = Running::start_with(|config| {
        config.idle_ms = 1500;
        config.keep_alive_ms = 300;
    })
    .await;
    for over in Over::ALL {
        for on_chat in [false, true] {
            let mut client = server.greeted(over).await;
            let stream = if on_chat { &mut client.chat } else { &mut client.control };
            // The length of four bytes, and then too few bytes.
            let half = [64, 0, 0, 0, PROTOCOL_VERSION, 2];
            stream.as_mut().unwrap().send.write_all(&half).await.unwrap();
            let (code, text) = client.goodbye().await;
            assert_eq!(code, CloseCode::MalformedFrame, "{over:?}: {text}");
            assert!(text.contains("did not end"), "{over:?}: {text}");
        }
    }
}
