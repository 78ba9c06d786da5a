//! A bad network between real sockets, for UDP and for TCP.

mod lane;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::ops::Range;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use tokio::net::{TcpListener, TcpSocket, UdpSocket};

use crate::network::{Conditions, Faults, Link, Weather};

const PORTS_TRIED: usize = 16;
/// The number of the last direction of UDP; those of TCP follow.
const UDP_WAYS: u64 = 2;
/// Time from the end of the input to the end of the proxy.
const LINGER: Duration = Duration::from_secs(1);

/// Passes UDP datagrams and TCP connections on to a server, and its answers back, over a bad
/// network. Each client, and each TCP connection, has its own link in each direction; the same seed
/// makes the same decisions for the same datagrams. Arrivals have a resolution of a millisecond.
///
/// TCP passes through the same links as segments of a connection like Linux's: lost segments are
/// resent about a round trip later, or after silence, and everything behind them waits. The system
/// accepts a connection at once, but nothing passes on it until its handshake would have passed the
/// links.
///
/// Prints its addresses, and each blackout and rebinding when it happens.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProxyArguments {
    /// Address of the server.
    #[arg(long)]
    to: SocketAddr,
    /// Address for clients, for UDP and TCP; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    #[command(flatten)]
    conditions: Conditions,
    /// Direction in which blackouts lose everything.
    #[arg(long, value_enum, default_value_t = Way::Both)]
    blackout_way: Way,
    /// Blackouts lose UDP alone, as at a firewall.
    #[arg(long)]
    blackout_udp: bool,
    /// Seconds after which a UDP client's source port changes at the server, as behind a router
    /// that forgot it.
    #[arg(long, value_name = "S", value_parser = rebind_every)]
    rebind_every: Option<Duration>,
    /// Seed of all links.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End a second after the standard input ends, as when the parent program is gone.
    #[arg(long)]
    until_eof: bool,
}

/// Directions of a path: `up` is towards the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    Both,
    Up,
    Down,
}

impl Way {
    /// The name as given to `--blackout-way`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Way::Both => "both",
            Way::Up => "up",
            Way::Down => "down",
        }
    }
}

/// State shared by all paths through the proxy.
#[derive(Clone, Debug)]
struct Network {
    to: SocketAddr,
    conditions: (Weather, Faults),
    blackout_way: Way,
    blackout_udp: bool,
    rebind_every: Option<Duration>,
    seed: u64,
    /// Zero of the links' time.
    start: Instant,
}

pub(crate) fn run(arguments: &ProxyArguments) -> anyhow::Result<ExitCode> {
    let ProxyArguments { to, rebind_every, seed, blackout_way, blackout_udp, .. } = *arguments;
    let conditions = arguments.conditions.resolve()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (udp, tcp) = listen(arguments.listen)?;
        let (address, profile) = (udp.local_addr()?, arguments.conditions.profile.name());
        println!("listening udp={address} tcp={address} to={to} profile={profile}");
        let start = Instant::now();
        let network =
            Network { to, conditions, blackout_way, blackout_udp, rebind_every, seed, start };
        for dark in arguments.conditions.blackouts() {
            tokio::spawn(tell_blackout(network.start, dark));
        }
        tokio::select! {
            failed = udp::pass(udp, &network) => failed,
            failed = tcp::pass(tcp, &network) => failed,
            () = end_of_input(), if arguments.until_eof => Ok(ExitCode::SUCCESS),
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
        }
    })
}

/// Binds one port for both.
fn listen(address: SocketAddr) -> anyhow::Result<(UdpSocket, TcpListener)> {
    let udp = |address| {
        std::net::UdpSocket::bind(address)
            .and_then(|socket| {
                socket.set_nonblocking(true)?;
                UdpSocket::from_std(socket)
            })
            .with_context(|| format!("cannot listen at {address} for UDP"))
    };
    if address.port() != 0 {
        return Ok((udp(address)?, tcp::listen(address)?));
    }
    // A free UDP port may be taken for TCP.
    for _ in 0..PORTS_TRIED {
        let socket = udp(address)?;
        if let Ok(listener) = tcp::listen(socket.local_addr()?) {
            return Ok((socket, listener));
        }
    }
    bail!("{PORTS_TRIED} ports that are free for UDP are taken for TCP; name a port with --listen")
}

impl Network {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The link of a client's path in one direction, seeded by the client's number.
    fn link(&self, number: u64, way: u64) -> Link {
        let mut faults = self.conditions.1.clone();
        // Ways of UDP, then of TCP: odd ones are towards the server.
        let own = if way.is_multiple_of(2) { Way::Down } else { Way::Up };
        let is_of_other_way = self.blackout_way != Way::Both && self.blackout_way != own;
        if is_of_other_way || (self.blackout_udp && way > UDP_WAYS) {
            faults.blackouts = [].into();
        }
        Link::new(self.conditions.0, (self.seed << 20 | number) ^ way << 40)
            .with_faults(faults)
            .with_passing_bursts()
    }
}

/// Data on its way is passed on first: a stopping server has said goodbye.
async fn end_of_input() {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = ended.send(());
    });
    let _ = end.await;
    tokio::time::sleep(LINGER).await;
}

async fn tell_blackout(start: Instant, dark: Range<Duration>) {
    let until = |at: Duration| tokio::time::sleep_until((start + at).into());
    until(dark.start).await;
    println!("blackout begins, for {} s", (dark.end - dark.start).as_secs_f64());
    until(dark.end).await;
    println!("blackout over");
}

fn rebind_every(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=86_400.0).contains(seconds));
    let seconds = seconds.ok_or("give seconds from 0.1 to 86400")?;
    Ok(Duration::from_secs_f64(seconds))
}

fn tcp_socket(like: SocketAddr) -> std::io::Result<TcpSocket> {
    if like.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_lists_the_options_as_help_does() {
        let command = ProxyArguments::augment_args(clap::Command::new("proxy"));
        let row = |option: &clap::Arg| {
            let words = option.get_value_names().unwrap_or_default().join(" ");
            let about = option.get_help().expect("every option is described");
            let defaults: Vec<_> =
                option.get_default_values().iter().map(|it| it.to_string_lossy()).collect();
            let name = option.get_long().expect("every option has a name");
            let words = if option.get_action().takes_values() {
                format!(" {words}")
            } else {
                String::new()
            };
            format!("| `--{name}{words}` | {about} | {} |\n", defaults.join(" "))
        };
        let rows: String = command.get_arguments().map(row).collect();
        let page = include_str!("../../docs/src/play.md");
        assert!(page.contains(&format!("| --- | --- | --- |\n{rows}\n")), "write:\n{rows}");
    }

    #[test]
    fn a_free_port_is_one_for_udp_and_for_tcp() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (udp, tcp) = listen("127.0.0.1:0".parse().unwrap()).unwrap();
            let taken = tcp.local_addr().unwrap();
            assert_eq!(udp.local_addr().unwrap(), taken);
            let error = listen(taken).unwrap_err().to_string();
            assert!(error.contains(&format!("cannot listen at {taken} for UDP")), "{error}");
        });
    }
}
