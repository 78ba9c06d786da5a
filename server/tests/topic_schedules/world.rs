//! The server, its clients, and the truth about what was published.

use std::time::Duration;

use tickwire_server::ServerConfig;
use tickwire_server::config::List;
use tickwire_server::simulated::SimulatedServer;
use tickwire_shared::NoGame;
use tickwire_shared::control::{TopicDelivery, TopicStart};

use crate::published::{GivenMessage, PublishedMessages};
use crate::subject::TopicClient;
use crate::{CLIENTS, KEYS, NAMES, PATTERNS, PathStep};

/// Turns of the server's tasks in which they come to rest, whatever they have to do.
const SETTLED_TURNS: usize = 60;
/// Rounds of a schedule's end, each of which carries every byte.
const ROUNDS_MAX: usize = 1000;

/// A schedule under way.
pub(super) struct PathWorld {
    server: SimulatedServer<NoGame>,
    config: ServerConfig,
    /// Counts the server's runs.
    run: u64,
    clients: Vec<TopicClient>,
    published: PublishedMessages,
    now: Duration,
    history: u64,
}

impl PathWorld {
    pub(super) fn new(history_messages: usize) -> Self {
        let mut config = ServerConfig {
            stream_window_bytes: 16_384,
            control_frames_hz: 10_000,
            control_frames_burst: 10_000,
            ..ServerConfig::default()
        };
        config.topics.enabled = true;
        config.topics.history_messages = history_messages;
        config.topics.publish = List::of(&["**"]);
        config.topics.subscribe = List::of(&["**"]);
        let mut server = start(&config, 1);
        let clients = (0..CLIENTS).map(|_| TopicClient::connect(&mut server, 1)).collect();
        let (published, now) = (PublishedMessages::default(), Duration::ZERO);
        let history = history_messages as u64;
        PathWorld { server, config, run: 1, clients, published, now, history }
    }

    pub(super) async fn run(&mut self, step: &PathStep) {
        self.now += Duration::from_millis(1);
        let now = self.now;
        match *step {
            PathStep::Publish { client, topic, key, bytes } => {
                let message = GivenMessage { topic: NAMES[topic], key: KEYS[key], bytes };
                self.clients[client].publish(message, &mut self.published);
            }
            PathStep::Subscribe { client, pattern, delivery, start } => {
                let what = (delivery, start);
                self.clients[client].subscribe(PATTERNS[pattern], what, &self.published);
            }
            PathStep::Unsubscribe { client, which } => self.clients[client].unsubscribe(which),
            PathStep::Up { client, bytes, turns } => {
                self.clients[client].carry_up(now, bytes);
                settle(turns).await;
            }
            PathStep::Down { client, bytes, control_bytes } => {
                self.carry_down(client, (bytes, control_bytes));
            }
            PathStep::Lose { client, is_server_told } => {
                self.clients[client].lose(now, is_server_told);
            }
            PathStep::ComeBack { client } => self.come_back(client),
            PathStep::BeginAnew { client } => {
                let kept = (self.is_all_kept(), &self.published);
                self.clients[client].begin_anew((&mut self.server, self.run), kept);
            }
            PathStep::Restart => self.restart(),
            PathStep::Settle { turns } => settle(turns).await,
        }
    }

    /// All come back, and everything arrives that anybody has asked for or given.
    pub(super) async fn finish(&mut self) {
        let mut is_quiet = 0;
        for _ in 0..ROUNDS_MAX {
            self.now += Duration::from_millis(1);
            let mut is_moved = false;
            for client in 0..CLIENTS {
                self.clients[client].forget_old();
                is_moved |= self.clients[client].is_away();
                self.come_back(client);
                is_moved |= self.clients[client].carry_up(self.now, usize::MAX);
            }
            settle(SETTLED_TURNS).await;
            for client in 0..CLIENTS {
                is_moved |= self.carry_down(client, (usize::MAX, usize::MAX));
            }
            is_quiet = if is_moved { 0 } else { is_quiet + 1 };
            if is_quiet == 2 {
                break;
            }
        }
        assert_eq!(is_quiet, 2, "it does not come to rest");
        self.probe().await;
        for client in &self.clients {
            client.check_whole(&self.published, self.history);
        }
    }

    /// A client that has lost nothing reads all that the server has: it is the truth about the newest messages.
    async fn probe(&mut self) {
        let mut probe = TopicClient::connect(&mut self.server, self.run);
        for delivery in [TopicDelivery::Ordered, TopicDelivery::Latest] {
            let what = (delivery, TopicStart::Last(u32::MAX));
            probe.subscribe("**", what, &self.published);
        }
        let mut is_moved = true;
        while is_moved {
            is_moved = probe.carry_up(self.now, usize::MAX);
            settle(SETTLED_TURNS).await;
            let both = (usize::MAX, usize::MAX);
            is_moved |= probe.carry_down(self.now, both, (&mut self.published, self.history));
        }
        probe.check_whole(&self.published, self.history);
    }

    fn carry_down(&mut self, client: usize, bytes: (usize, usize)) -> bool {
        let published = (&mut self.published, self.history);
        self.clients[client].carry_down(self.now, bytes, published)
    }

    fn come_back(&mut self, client: usize) {
        let kept = (self.is_all_kept(), &self.published);
        self.clients[client].come_back(self.now, (&mut self.server, self.run), kept);
    }

    /// The server's process is killed, and another one takes its place.
    fn restart(&mut self) {
        self.clients.iter_mut().for_each(|client| client.lose(self.now, true));
        self.run += 1;
        self.server = start(&self.config, self.run);
        self.published.forget_logs();
    }

    fn is_all_kept(&self) -> bool {
        self.history >= 1000
    }
}

fn start(config: &ServerConfig, run: u64) -> SimulatedServer<NoGame> {
    // The logs of a run are numbered from its seed on, and no two runs may have one number.
    SimulatedServer::start(config.clone(), run << 32).expect("a server")
}

/// Gives the server's tasks time.
async fn settle(turns: usize) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}
