//! The proxy's UDP side.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::Network;
use super::lane::{Lane, Outlet};

/// Most concurrent clients; beyond that the longest silent ones are dropped.
const CLIENTS_MAX: usize = 4096;
/// The largest datagram that is passed on.
const DATAGRAM_BYTES_MAX: usize = 65_535;

struct Client {
    address: SocketAddr,
    /// The socket towards the server, for this client.
    outlet: Outlet,
    up: Lane,
    down: Arc<Mutex<Lane>>,
    receiving: JoinHandle<()>,
    /// The old socket stays bound: a router that forgot a port answers nothing there.
    forgotten: Option<Arc<UdpSocket>>,
    bound: Duration,
    heard: Duration,
}

pub(super) async fn pass(outside: UdpSocket, network: &Network) -> anyhow::Result<ExitCode> {
    let outside = Arc::new(outside);
    let mut clients: HashMap<SocketAddr, Client> = HashMap::new();
    let mut numbers = 0;
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let Ok((bytes, from)) = outside.recv_from(&mut buffer).await else {
            // The system reports on an earlier datagram: the client is gone.
            continue;
        };
        let client = match clients.entry(from) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                numbers += 1;
                new.insert(Client::new(network, &outside, from, numbers).await?)
            }
        };
        client.heard = network.now();
        client.rebind_if_due(network).await?;
        client.up.send(client.heard, &buffer[..bytes]);
        forget_one(&mut clients);
    }
}

impl Client {
    async fn new(
        network: &Network,
        outside: &Arc<UdpSocket>,
        address: SocketAddr,
        number: u64,
    ) -> anyhow::Result<Self> {
        let socket = Arc::new(UdpSocket::bind(any_port(network.to)).await?);
        let outlet: Outlet = Arc::new(Mutex::new(Arc::clone(&socket)));
        let inlet: Outlet = Arc::new(Mutex::new(Arc::clone(outside)));
        let up = network.link(number, 1);
        let up = Lane::new(up, network.start, Arc::clone(&outlet), network.to);
        let down = Lane::new(network.link(number, 2), network.start, inlet, address);
        let down = Arc::new(Mutex::new(down));
        let receiving = tokio::spawn(receive(socket, Arc::clone(&down), network.clone()));
        let now = network.now();
        Ok(Client { address, outlet, up, down, receiving, forgotten: None, bound: now, heard: now })
    }

    /// Acts like a router that forgot a client: the next datagram leaves from another port, and
    /// arrivals at the old port are lost.
    async fn rebind_if_due(&mut self, network: &Network) -> anyhow::Result<()> {
        let now = network.now();
        if network.rebind_every.is_none_or(|every| now - self.bound < every) {
            return Ok(());
        }
        let socket = Arc::new(UdpSocket::bind(any_port(network.to)).await?);
        let port = socket.local_addr()?.port();
        self.receiving.abort();
        let down = Arc::clone(&self.down);
        self.receiving = tokio::spawn(receive(Arc::clone(&socket), down, network.clone()));
        let mut outlet = self.outlet.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *outlet, socket);
        println!("rebound client={} from={} to={port}", self.address, before.local_addr()?.port());
        (self.forgotten, self.bound) = (Some(before), now);
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.receiving.abort();
    }
}

async fn receive(socket: Arc<UdpSocket>, down: Arc<Mutex<Lane>>, network: Network) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        // An error is the system's report on an earlier datagram.
        if let Ok((bytes, _)) = socket.recv_from(&mut buffer).await {
            let mut down = down.lock().unwrap_or_else(PoisonError::into_inner);
            down.send(network.now(), &buffer[..bytes]);
        }
    }
}

fn any_port(like: SocketAddr) -> SocketAddr {
    let any: IpAddr = match like {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(any, 0)
}

fn forget_one(clients: &mut HashMap<SocketAddr, Client>) {
    if clients.len() > CLIENTS_MAX
        && let Some(&oldest) =
            clients.iter().min_by_key(|(_, client)| client.heard).map(|(address, _)| address)
    {
        clients.remove(&oldest);
    }
}
