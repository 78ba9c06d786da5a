//! The UDP socket: packets arrive in batches and leave as soon as they are made.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};

use bytes::BytesMut;
use quinn_proto::{EcnCodepoint, Transmit};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};

/// Packets in one call to the system; more would delay those of others.
const SEGMENTS_MAX: usize = 10;

/// The socket of the server.
#[derive(Debug)]
pub(super) struct DriverSocket {
    io: UdpSocket,
    state: UdpSocketState,
    /// Buffer for a whole batch.
    received: Vec<u8>,
    /// A packet that the system has not accepted yet.
    unsent: Option<(Transmit, Vec<u8>)>,
}

/// One received packet.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) meta: RecvMeta,
    pub(super) bytes: BytesMut,
}

impl DriverSocket {
    /// # Errors
    /// If the system's sockets lack what QUIC needs.
    pub(super) fn new(io: UdpSocket, packet_bytes_max: usize) -> io::Result<Self> {
        let state = UdpSocketState::new((&io).into())?;
        let buffer_bytes = packet_bytes_max * state.gro_segments();
        let received = vec![0; buffer_bytes * BATCH_SIZE];
        Ok(DriverSocket { io, state, received, unsent: None })
    }

    /// True if packets are never fragmented, so that the path's datagram size can be found.
    pub(super) fn is_whole(&self) -> bool {
        !self.state.may_fragment()
    }

    /// Receives one batch and appends its packets. Returns true if there may be more.
    ///
    /// # Errors
    /// The system's error, except reports of unreachable peers. Most errors pass: see
    /// [`is_lasting`].
    pub(super) fn receive(&mut self, packets: &mut Vec<Packet>) -> io::Result<bool> {
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let buffer_bytes = self.received.len() / BATCH_SIZE;
        let mut buffers = self.received.chunks_mut(buffer_bytes);
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(buffers.next().unwrap_or_default()));
        let count = match self.state.recv((&self.io).into(), &mut slices, &mut metas) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(true),
            Err(error) => return Err(error),
        };
        for (meta, slice) in metas.iter().zip(&slices).take(count) {
            // One buffer may hold several packets of the same size and sender.
            let row = slice[..meta.len].chunks(meta.stride.max(1));
            packets.extend(row.map(|bytes| Packet { meta: *meta, bytes: bytes.into() }));
        }
        Ok(count == BATCH_SIZE)
    }

    /// Sends a packet, or keeps it until the system accepts it; then send nothing more until
    /// [`DriverSocket::retry`] returns true.
    pub(super) fn send(&mut self, transmit: Transmit, bytes: &[u8]) {
        if self.is_blocked(&transmit, bytes) {
            self.unsent = Some((transmit, bytes.to_vec()));
        }
    }

    /// Sends a packet that may be lost if the system does not accept it.
    pub(super) fn send_or_drop(&self, transmit: &Transmit, bytes: &[u8]) {
        let _ = self.is_blocked(transmit, bytes);
    }

    /// Sends the kept packet. Returns true if more can be sent.
    pub(super) fn retry(&mut self) -> bool {
        let Some((transmit, bytes)) = self.unsent.take() else { return true };
        self.send(transmit, &bytes);
        self.unsent.is_none()
    }

    /// True while the system accepts no more.
    pub(super) fn is_full(&self) -> bool {
        self.unsent.is_some()
    }

    /// Most packets of one call to the system.
    pub(super) fn segments_max(&self) -> usize {
        self.state.max_gso_segments().min(SEGMENTS_MAX)
    }

    /// The descriptor to wait for.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }

    fn is_blocked(&self, transmit: &Transmit, bytes: &[u8]) -> bool {
        let packet = quinn_udp::Transmit {
            destination: transmit.destination,
            ecn: transmit.ecn.and_then(|ecn| quinn_udp::EcnCodepoint::from_bits(ecn as u8)),
            contents: &bytes[..transmit.size],
            segment_size: transmit.segment_size,
            src_ip: transmit.src_ip,
        };
        // Any other failure counts as a packet lost on its way.
        self.state.send((&self.io).into(), &packet).is_err()
    }
}

impl Packet {
    pub(super) fn ecn(&self) -> Option<EcnCodepoint> {
        self.meta.ecn.and_then(|ecn| EcnCodepoint::from_bits(ecn as u8))
    }
}

/// True if an error will not pass: the descriptor is no longer a socket.
pub(super) fn is_lasting(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let numbers = [Errno::BADF, Errno::NOTSOCK].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|number| numbers.contains(&number))
}
