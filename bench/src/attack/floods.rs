//! The attacker's actions. Every flood is limited in time and in concurrency.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tickwire_shared::control::{ClientFrame, STREAM_CONTROL, write_frame};
use tickwire_shared::websocket;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::counts::{Counts, Tally};
use super::sessions::{self, Peer};
use super::{Flood, namespace};
use crate::floor::client::connect as connect_quic;
use crate::random::Splitmix;

/// The header of a packet that begins a handshake: version 1, random connection ids of 8 bytes, no
/// token, 1174 bytes (RFC 9000, section 17.2.2).
const INITIAL: &[(usize, u8)] =
    &[(0, 0xc3), (1, 0), (2, 0), (3, 0), (4, 1), (5, 8), (14, 8), (23, 0), (24, 0x44), (25, 0x96)];
const SESSIONS: usize = 34;
const IDLE_SESSIONS: usize = 2000;
const CONNECTING_MAX: usize = 16;
const HANDSHAKES_AT_ONCE: usize = 64;
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
const TCP_CONNECTIONS: usize = 1200;
const WEBSOCKETS: usize = 8;
const INPUTS_AT_ONCE: usize = 2000;
const H3_CONNECTIONS: usize = 8;

/// Runs one flood for `time`.
pub(super) async fn run(flood: Flood, port: u16, time: Duration, first: Option<Peer>) -> Tally {
    let end = Instant::now() + time;
    let counts = Arc::new(Counts::default());
    match flood {
        Flood::None => tokio::time::sleep(time).await,
        Flood::Rooms | Flood::Joins | Flood::Chat => {
            sessions_of(flood, SESSIONS, port, end, &counts).await;
        }
        Flood::Idle => sessions_of(flood, IDLE_SESSIONS, port, end, &counts).await,
        Flood::Kicks => {
            if let Some(mut peer) = first {
                let _ = sessions::kick_all(&mut peer, &counts, end).await;
            }
        }
        Flood::Handshakes => handshakes(port, end, &counts).await,
        Flood::Initials => {
            let packets = Packets { rate_hz: 2000, addresses: 400, fixed: INITIAL };
            send_packets(packets, port, end, &counts).await;
        }
        Flood::Garbage => {
            let packets = Packets { rate_hz: 20_000, addresses: 1, fixed: &[] };
            send_packets(packets, port, end, &counts).await;
        }
        Flood::Http => http(port, end, &counts).await,
        Flood::Websocket => websockets(port, end, &counts).await,
        Flood::Streams => streams(port, end, &counts).await,
    }
    counts.tally()
}

async fn sessions_of(flood: Flood, number: usize, port: u16, end: Instant, counts: &Arc<Counts>) {
    let options = tokio::task::spawn_blocking(move || sessions::options(port)).await;
    let Ok(Ok(options)) = options else { return counts.refuse() };
    let gate = Arc::new(Semaphore::new(CONNECTING_MAX));
    let mut tasks = JoinSet::new();
    for number in 0..number {
        let (counts, options, gate) = (Arc::clone(counts), options.clone(), Arc::clone(&gate));
        tasks.spawn(async move {
            let peer = {
                let _turn = gate.acquire().await;
                if Instant::now() >= end {
                    return;
                }
                sessions::connect(port, &options).await
            };
            let Ok(mut peer) = peer else { return counts.refuse() };
            let played = match flood {
                Flood::Idle => {
                    let stayed = sessions::stay(&mut peer, end).await;
                    counts.add(u64::from(stayed.is_ok()));
                    stayed
                }
                Flood::Chat => sessions::chat(&mut peer, number, &counts, end).await,
                _ => {
                    let elsewhere = flood == Flood::Rooms;
                    sessions::come_and_go(&mut peer, number, elsewhere, &counts, end).await
                }
            };
            if played.is_err() {
                counts.refuse();
            }
        });
    }
    tasks.join_all().await;
}

async fn handshakes(port: u16, end: Instant, counts: &Arc<Counts>) {
    let mut tasks = JoinSet::new();
    for _ in 0..HANDSHAKES_AT_ONCE {
        let counts = Arc::clone(counts);
        tasks.spawn(async move {
            while Instant::now() < end {
                let connecting = connect_quic(namespace::address(0, port), b"tickwire/1");
                match tokio::time::timeout(HANDSHAKE_TIME, connecting).await {
                    Ok(Ok(connection)) => {
                        connection.close(0_u32.into(), b"the next\none");
                        counts.add(1);
                    }
                    _ => counts.refuse(),
                }
            }
        });
    }
    tasks.join_all().await;
}

/// Random packets of 1200 bytes.
struct Packets {
    rate_hz: u64,
    addresses: usize,
    /// The bytes that are not random: their positions and values.
    fixed: &'static [(usize, u8)],
}

async fn send_packets(packets: Packets, port: u16, end: Instant, counts: &Counts) {
    let socket = |number| -> std::io::Result<UdpSocket> {
        let to = namespace::address(number, port);
        let socket = UdpSocket::bind((to.ip(), 0))?;
        socket.connect(to)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    let Ok(sockets) = (0..packets.addresses).map(socket).collect::<Result<Vec<_>, _>>() else {
        return counts.refuse();
    };
    let mut random = Splitmix::new(1);
    let begin = Instant::now();
    let mut sent = 0;
    while Instant::now() < end {
        let due = (begin.elapsed().as_secs_f64() * packets.rate_hz as f64) as u64;
        for number in sent..due {
            let mut packet = [0; 1200];
            for bytes in packet.as_chunks_mut::<8>().0 {
                *bytes = random.bits().to_le_bytes();
            }
            for (at, byte) in packets.fixed {
                packet[*at] = *byte;
            }
            match sockets[number as usize % sockets.len()].send(&packet) {
                Ok(_) => counts.add(1),
                Err(_) => counts.refuse(),
            }
        }
        sent = due;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn http(port: u16, end: Instant, counts: &Counts) {
    let mut held = Vec::new();
    for _ in 0..TCP_CONNECTIONS {
        let connecting = TcpStream::connect(namespace::address(0, port));
        match tokio::time::timeout(HANDSHAKE_TIME, connecting).await {
            Ok(Ok(mut stream)) => {
                let request = b"GET /schema.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(60);
                let _ = stream.try_write(&request);
                let _ = stream.flush().await;
                held.push(stream);
            }
            _ => counts.refuse(),
        }
        if Instant::now() >= end {
            break;
        }
    }
    tokio::time::sleep_until(end.into()).await;
    for stream in held {
        // If the server has closed the socket, its end follows the data.
        let mut buffer = [0; 65_536];
        let open = loop {
            match stream.try_read(&mut buffer) {
                Ok(0) => break false,
                Ok(_) => {}
                Err(error) => break error.kind() == std::io::ErrorKind::WouldBlock,
            }
        };
        if open { counts.add(1) } else { counts.refuse() }
    }
}

async fn websockets(port: u16, end: Instant, counts: &Arc<Counts>) {
    let mut tasks = JoinSet::new();
    for _ in 0..WEBSOCKETS {
        let counts = Arc::clone(counts);
        tasks.spawn(async move {
            if websocket(port, end, &counts).await.is_err() {
                counts.refuse();
            }
        });
    }
    tasks.join_all().await;
}

async fn websocket(port: u16, end: Instant, counts: &Counts) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(namespace::address(0, port)).await?;
    let upgrade = format!(
        "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n",
        websocket::PATH
    );
    stream.write_all(upgrade.as_bytes()).await?;
    let mut hello = vec![STREAM_CONTROL];
    write_frame(
        &ClientFrame::Hello {
            client: "attacker".to_owned(),
            schema: None,
            resumable: false,
            token: "".into(),
        },
        &mut hello,
    );
    stream.write_all(&message(&hello)).await?;
    let inputs = message(&[websocket::LANE_DATAGRAM, b'I', 0, 0]).repeat(INPUTS_AT_ONCE);
    let (mut reads, mut writes) = stream.split();
    let read = async {
        let mut buffer = vec![0; 65_536];
        while reads.read(&mut buffer).await? > 0 {}
        std::io::Result::Ok(())
    };
    let write = async {
        loop {
            writes.write_all(&inputs).await?;
            counts.add(INPUTS_AT_ONCE as u64);
        }
    };
    tokio::select! {
        ended = read => ended,
        ended = write => ended,
        () = tokio::time::sleep_until(end.into()) => Ok(()),
    }
}

/// A client's short binary message with a mask of zeros (RFC 6455, section 5.2).
fn message(payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short message");
    assert!(length < 126, "a message of one length byte");
    [&[0x82, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

async fn streams(port: u16, end: Instant, counts: &Arc<Counts>) {
    let mut tasks = JoinSet::new();
    for _ in 0..H3_CONNECTIONS {
        let counts = Arc::clone(counts);
        tasks.spawn(async move {
            let connecting = connect_quic(namespace::address(0, port), b"h3");
            let Ok(connection) = connecting.await else { return counts.refuse() };
            while Instant::now() < end {
                let opened = tokio::time::timeout(HANDSHAKE_TIME, connection.open_uni()).await;
                let Ok(Ok(mut stream)) = opened else { return counts.refuse() };
                // A stream of a reserved type, which carries nothing (RFC 9114, section 6.2.3).
                if stream.write_all(&[0x21]).await.is_err() {
                    return counts.refuse();
                }
                let _ = stream.finish();
                counts.add(1);
            }
        });
    }
    tasks.join_all().await;
}
