//! A client that does not speak the protocol, or only half of it.

use std::net::SocketAddr;

use tickwire_client::session::Session;
use tickwire_server::simulated::{SimulatedConnection, SimulatedServer};
use tickwire_shared::PlayerId;
use tickwire_shared::control::{
    ClientFrame, Received, RequestId, ResumeSecret, RoomChoice, STREAM_CHAT, STREAM_CONTROL,
    ServerRun, write_frame,
};

use super::client::ROOM;
use super::game::Vault;
use crate::random::Splitmix;

/// Most bytes that it sends at once.
const BYTES_MAX: u64 = 3000;

/// Opens a connection and sends.
pub(crate) fn attack(
    server: &mut SimulatedServer<Vault>,
    seed: u64,
) -> Option<SimulatedConnection> {
    let mut random = Splitmix::new(seed);
    let address = SocketAddr::from(([10, 1, 1, 1], 4000));
    let wire = server.connect(address, 1200)?;
    let mut bytes = begin(&mut random);
    match random.bits() % 4 {
        // Bits of a good beginning are turned.
        0 => {
            let at = random.bits() as usize % bytes.len();
            bytes[at] ^= 1 << (random.bits() % 8);
        }
        // It is cut.
        1 => bytes.truncate(random.bits() as usize % bytes.len()),
        // More follows that is of no protocol.
        2 => bytes.extend(noise(&mut random)),
        _ => {}
    }
    let streams = [wire.open(), wire.open()];
    wire.write(streams[0], &bytes[..bytes.len().min(wire.space(streams[0]))]);
    match random.bits() % 3 {
        0 => {
            let noise = noise(&mut random);
            wire.write(streams[1], &noise);
        }
        1 => wire.write(streams[1], &[STREAM_CHAT]),
        _ => wire.finish(streams[1]),
    }
    for _ in 0..random.bits() % 8 {
        let noise = noise(&mut random);
        wire.datagram(noise);
    }
    Some(wire)
}

/// A good beginning: a hello and a join, or a resume with a guessed secret.
fn begin(random: &mut Splitmix) -> Vec<u8> {
    if random.bits().is_multiple_of(2) {
        let mut session = Session::new("hostile", None);
        session.join(RoomChoice::Named(ROOM.to_owned()), "hostile");
        return session.take_control();
    }
    let mut bytes = vec![STREAM_CONTROL];
    let resume = ClientFrame::Resume {
        player: PlayerId((random.bits() % 12) as u32),
        secret: ResumeSecret([random.bits() as u8; 16]),
        received: Received { control: random.bits() as u32 % 100, chat: 0 },
        unanswered: (0..random.bits() % 5).map(|_| RequestId(random.bits() as u32)).collect(),
        next: RequestId(random.bits() as u32 % 100),
        run: ServerRun(random.bits()),
    };
    write_frame(&resume, &mut bytes);
    bytes
}

fn noise(random: &mut Splitmix) -> Vec<u8> {
    let count = 1 + random.bits() % BYTES_MAX;
    (0..count).map(|_| random.bits() as u8).collect()
}
