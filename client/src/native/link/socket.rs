//! The UDP socket of a client.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime, UdpPoller};

/// A socket that takes packets one by one.
///
/// Where the system joins packets that arrive together, quinn keeps room for 32 times 64 of them: 3 MB, which are cleared for each
/// new connection. A game's client gets a packet or two a tick.
#[derive(Debug)]
struct SinglePackets(Arc<dyn AsyncUdpSocket>);

/// A socket for quinn, by which each packet comes alone where the system can be told so.
///
/// # Errors
/// What the system says of the socket.
pub(super) fn wrap(
    socket: UdpSocket,
    runtime: &dyn Runtime,
) -> io::Result<Arc<dyn AsyncUdpSocket>> {
    let same = socket.try_clone()?;
    // This switches the joining on, where there is any.
    let wrapped = runtime.wrap_udp_socket(socket)?;
    Ok(if takes_single_packets(&same) { Arc::new(SinglePackets(wrapped)) } else { wrapped })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn takes_single_packets(socket: &UdpSocket) -> bool {
    use nix::sys::socket::{setsockopt, sockopt::UdpGroSegment};
    setsockopt(socket, UdpGroSegment, &false).is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn takes_single_packets(_: &UdpSocket) -> bool {
    false
}

impl AsyncUdpSocket for SinglePackets {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.0).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.0.try_send(transmit)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_recv(context, buffers, metas)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.0.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        1
    }

    fn may_fragment(&self) -> bool {
        self.0.may_fragment()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn packets_that_arrive_together_come_whole_and_one_by_one() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let runtime = quinn::default_runtime().unwrap();
        let socket = wrap(socket, &*runtime).unwrap();
        assert_eq!(socket.max_receive_segments(), 1);
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = quinn::udp::UdpSocketState::new((&peer).into()).unwrap();
        // The system cuts this into ten packets, and joins them again for who takes joined ones.
        let transmit = Transmit {
            destination: socket.local_addr().unwrap(),
            ecn: None,
            contents: &[7; 1000],
            segment_size: Some(100),
            src_ip: None,
        };
        sender.send((&peer).into(), &transmit).unwrap();
        let mut got = Vec::new();
        while got.len() < 10 {
            let (mut bytes, mut metas) = ([[0; 1500]; 4], [RecvMeta::default(); 4]);
            let count = poll_fn(|context| {
                let mut buffers: Vec<IoSliceMut<'_>> =
                    bytes.iter_mut().map(|bytes| IoSliceMut::new(bytes)).collect();
                socket.poll_recv(context, &mut buffers, &mut metas)
            });
            let count = count.await.unwrap();
            got.extend(metas[..count].iter().map(|meta| (meta.len, meta.stride)));
        }
        assert_eq!(got, [(100, 100); 10]);
    }
}
