//! A bad network between real sockets: UDP datagrams, delayed, lost and put out of order as a profile has it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use tokio::net::UdpSocket;

use crate::network::{Link, Profile};

/// Clients at once; those that were silent longest make room.
const CLIENTS_MAX: usize = 4096;
/// The largest datagram that is passed on.
const DATAGRAM_BYTES_MAX: usize = 2048;
/// Datagrams on their way to one side of one client; more are lost, as at a router.
const ON_THE_WAY_MAX: usize = 4096;

/// Passes UDP datagrams on to a server, and its answers back, over a bad network. Each client has a link of its
/// own in each direction. Arrivals are to the millisecond.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProxyArguments {
    /// Where the server is.
    #[arg(long)]
    to: SocketAddr,
    /// Where clients connect to; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The network.
    #[arg(long, value_enum, default_value_t = Profile::Lte)]
    profile: Profile,
    /// Seed of all links.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

struct Client {
    /// Towards the server, as this client.
    socket: Arc<UdpSocket>,
    up: Lane,
    heard: Instant,
    down: tokio::task::JoinHandle<()>,
}

/// One direction of one client's path.
struct Lane {
    link: Link,
    zero: Instant,
    room: Arc<tokio::sync::Semaphore>,
}

pub(crate) fn run(arguments: &ProxyArguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(pass(arguments))
}

async fn pass(arguments: &ProxyArguments) -> anyhow::Result<ExitCode> {
    let ProxyArguments { to, listen, profile, seed } = *arguments;
    let outside = UdpSocket::bind(listen).await;
    let outside = Arc::new(outside.with_context(|| format!("cannot listen at {listen}"))?);
    println!("listening udp={} to={to} profile={}", outside.local_addr()?, profile.name());
    let mut clients: HashMap<SocketAddr, Client> = HashMap::new();
    let mut numbers = 0;
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    loop {
        let (bytes, from) = tokio::select! {
            received = outside.recv_from(&mut buffer) => match received {
                Ok(received) => received,
                // What the system says of a datagram sent before: the client is gone.
                Err(_) => continue,
            },
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
        };
        let client = match clients.entry(from) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                numbers += 1;
                new.insert(Client::new(&outside, from, to, (profile, seed << 20 | numbers)).await?)
            }
        };
        client.heard = Instant::now();
        client.up.send(&client.socket, to, &buffer[..bytes]);
        forget_one(&mut clients);
    }
}

impl Client {
    async fn new(
        outside: &Arc<UdpSocket>,
        client: SocketAddr,
        to: SocketAddr,
        (profile, seed): (Profile, u64),
    ) -> anyhow::Result<Self> {
        let any: IpAddr = match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = Arc::new(UdpSocket::bind(SocketAddr::new(any, 0)).await?);
        let (inside, outside) = (Arc::clone(&socket), Arc::clone(outside));
        let mut lane = Lane::new(profile, seed ^ 2 << 40);
        let down = tokio::spawn(async move {
            let mut buffer = [0; DATAGRAM_BYTES_MAX];
            loop {
                if let Ok((bytes, _)) = inside.recv_from(&mut buffer).await {
                    lane.send(&outside, client, &buffer[..bytes]);
                }
            }
        });
        let up = Lane::new(profile, seed ^ 1 << 40);
        Ok(Client { socket, up, heard: Instant::now(), down })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.down.abort();
    }
}

impl Lane {
    fn new(profile: Profile, seed: u64) -> Self {
        let room = Arc::new(tokio::sync::Semaphore::new(ON_THE_WAY_MAX));
        Lane { link: Link::new(profile.weather(), seed), zero: Instant::now(), room }
    }

    fn send(&mut self, socket: &Arc<UdpSocket>, to: SocketAddr, bytes: &[u8]) {
        let now = self.zero.elapsed();
        let Some(arrival) = self.link.send(now) else { return };
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else { return };
        let (socket, bytes) = (Arc::clone(socket), bytes.to_vec());
        let wait = arrival.saturating_sub(now);
        tokio::spawn(async move {
            if wait > Duration::ZERO {
                tokio::time::sleep(wait).await;
            }
            // Lost as any other, if the system does not take it.
            let _ = socket.send_to(&bytes, to).await;
            drop(permit);
        });
    }
}

fn forget_one(clients: &mut HashMap<SocketAddr, Client>) {
    if clients.len() > CLIENTS_MAX
        && let Some(&oldest) =
            clients.iter().min_by_key(|(_, client)| client.heard).map(|(address, _)| address)
    {
        clients.remove(&oldest);
    }
}
