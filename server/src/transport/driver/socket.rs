//! The UDP socket: packets come in batches, and go out as soon as they are made.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};

use bytes::BytesMut;
use quinn_proto::{EcnCodepoint, Transmit};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};

/// More in a row would only hold up the packets of others.
const SEGMENTS_MAX: usize = 10;

/// The socket of the server.
#[derive(Debug)]
pub(super) struct DriverSocket {
    io: UdpSocket,
    state: UdpSocketState,
    /// Room for a whole batch.
    received: Vec<u8>,
    /// A packet that the system did not take yet.
    unsent: Option<(Transmit, Vec<u8>)>,
}

/// One packet that came.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) meta: RecvMeta,
    pub(super) bytes: BytesMut,
}

impl DriverSocket {
    /// # Errors
    /// When the system lacks what QUIC needs of a socket.
    pub(super) fn new(io: UdpSocket, packet_bytes_max: usize) -> io::Result<Self> {
        let state = UdpSocketState::new((&io).into())?;
        let buffer_bytes = packet_bytes_max * state.gro_segments();
        let received = vec![0; buffer_bytes * BATCH_SIZE];
        Ok(DriverSocket { io, state, received, unsent: None })
    }

    /// Whether packets leave whole, so that the size of the path can be found out.
    pub(super) fn is_whole(&self) -> bool {
        !self.state.may_fragment()
    }

    /// Takes in one batch and appends its packets. Says whether there may be more at once.
    ///
    /// # Errors
    /// What the system says, but for the reports of packets that found nobody. Most of it passes:
    /// see [`is_lasting`].
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
            // One buffer may hold a row of packets of the same size and sender.
            let row = slice[..meta.len].chunks(meta.stride.max(1));
            packets.extend(row.map(|bytes| Packet { meta: *meta, bytes: bytes.into() }));
        }
        Ok(count == BATCH_SIZE)
    }

    /// Sends a packet, or keeps it until the system takes it; then nothing more may be sent until
    /// [`DriverSocket::retry`] says so.
    pub(super) fn send(&mut self, transmit: Transmit, bytes: &[u8]) {
        if self.is_blocked(&transmit, bytes) {
            self.unsent = Some((transmit, bytes.to_vec()));
        }
    }

    /// Sends a packet that nobody misses if the system does not take it.
    pub(super) fn send_or_drop(&self, transmit: &Transmit, bytes: &[u8]) {
        let _ = self.is_blocked(transmit, bytes);
    }

    /// Sends what was left over. Says whether more can be sent.
    pub(super) fn retry(&mut self) -> bool {
        let Some((transmit, bytes)) = self.unsent.take() else { return true };
        self.send(transmit, &bytes);
        self.unsent.is_none()
    }

    /// Whether the system takes no more for now.
    pub(super) fn is_full(&self) -> bool {
        self.unsent.is_some()
    }

    /// Packets that may go out in one call.
    pub(super) fn segments_max(&self) -> usize {
        self.state.max_gso_segments().min(SEGMENTS_MAX)
    }

    /// What to wait for.
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
        // Any other failure is a packet lost on its way.
        self.state.send((&self.io).into(), &packet).is_err()
    }
}

impl Packet {
    pub(super) fn ecn(&self) -> Option<EcnCodepoint> {
        self.meta.ecn.and_then(|ecn| EcnCodepoint::from_bits(ecn as u8))
    }
}

/// Whether an error of the socket will not go away by itself: it is no socket any more.
pub(super) fn is_lasting(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let numbers = [Errno::BADF, Errno::NOTSOCK].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|number| numbers.contains(&number))
}
