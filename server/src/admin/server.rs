//! A running server, of whichever game, as the admin side sees it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use tickwire_shared::control::{CloseCode, ServerFrame};
use tickwire_shared::{PlayerId, Simulation};

use super::metrics::MetricsSample;
use super::views::{PlayerView, RoomView, ServerPhase, ServerView, SettingView};
use crate::config::settings_in_force;
use crate::connection::{ClientLink, ServerState, SessionEnd};
use crate::http::LiveInfo;
use crate::journal::Journals;
use crate::notices::Notices;
use crate::rooms::RoomAccess;
use crate::scheduler::{Mailbox, Stall};
use crate::store::{ServerStore, wall_ms};

/// What the routes need of a server. The game's type ends here: the routes are compiled once.
pub(super) trait AdministeredServer: Send + Sync + 'static {
    fn server(&self) -> ServerView;

    /// All rooms, in no order.
    fn rooms(&self) -> Vec<RoomView>;

    /// All sessions, by number.
    fn players(&self) -> Vec<PlayerView>;

    /// Ends a session; `false` if there is none of this number.
    fn kick(&self, player: u32, reason: &str) -> bool;

    /// Says something to a session; `false` if there is none of this number.
    fn tell(&self, player: u32, text: &str) -> bool;

    /// Says something to every session.
    fn tell_all(&self, text: &str);

    /// Says something to a room, after all that it told its members so far; `false` if there is none of this name.
    fn tell_room<'a>(
        &'a self,
        room: &'a str,
        text: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

    /// Every setting as it is in force.
    fn settings(&self) -> Vec<SettingView>;

    /// All that is counted, now.
    fn sample(&self) -> MetricsSample;
}

/// A server while it runs.
pub(super) struct RunningServer<S: Simulation> {
    pub(super) host: Arc<ServerState<S>>,
    pub(super) shown: Arc<LiveInfo>,
    pub(super) began: SystemTime,
}

impl<S: Simulation> RunningServer<S> {
    fn phase(&self) -> ServerPhase {
        if self.host.is_stopping() {
            ServerPhase::Stopping
        } else if self.shown.ready.load(Ordering::Acquire) {
            ServerPhase::Ready
        } else {
            ServerPhase::Starting
        }
    }

    fn view(link: &ClientLink<S::Input>) -> PlayerView {
        let (transport, membership) = (link.transport(), link.membership());
        PlayerView {
            player: link.player.0,
            name: link.display_name().map(|name| name.to_string()),
            account: link.identity().account.as_ref().map(|account| account.id.clone()),
            room: membership.as_ref().map(|place| place.room().name().to_owned()),
            is_spectator: membership.as_ref().is_some_and(|place| place.spectator()),
            address: transport.remote_address().to_string(),
            transport: transport.transport_name().to_owned(),
            waiting_bytes: link.waiting_bytes(),
        }
    }

    fn link(&self, player: u32) -> Option<Arc<ClientLink<S::Input>>> {
        let link = self.host.links.get(PlayerId(player))?;
        (link.is_welcomed() && !link.is_ending()).then_some(link)
    }
}

impl<S: Simulation> AdministeredServer for RunningServer<S> {
    fn server(&self) -> ServerView {
        let rooms = self.rooms();
        let sum = |count: fn(&RoomView) -> u32| rooms.iter().map(|it| u64::from(count(it))).sum();
        let stalls = self.host.rooms.scheduler().stalls();
        ServerView {
            game: S::NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            phase: self.phase(),
            uptime_s: self.began.elapsed().unwrap_or_default().as_secs(),
            tick_hz: S::TICK_HZ,
            sessions: self.host.sessions(),
            rooms: rooms.len(),
            players: sum(|room| room.players),
            bots: sum(|room| room.bots),
            spectators: sum(|room| room.spectators),
            stalled_rooms: stalls.into_iter().map(|Stall { room, .. }| room).collect(),
            has_journals: self.host.rooms.journals.is_some(),
            has_store: self.host.rooms.store.is_some(),
        }
    }

    fn rooms(&self) -> Vec<RoomView> {
        let rooms = self.host.rooms.all().into_iter();
        let view = |(mailbox, RoomAccess { is_unlisted, is_quick }): (Arc<Mailbox<_>>, _)| {
            let info = mailbox.info();
            RoomView {
                players: info.players,
                players_max: info.players_max,
                reserved: mailbox.reserved(),
                bots: info.bots,
                spectators: info.spectators,
                needs_password: info.needs_password,
                is_unlisted,
                is_quick,
                tags: info.tags,
                metadata: serde_json::from_str(&info.metadata).unwrap_or_default(),
                name: info.name,
            }
        };
        rooms.map(view).collect()
    }

    fn players(&self) -> Vec<PlayerView> {
        let links: Vec<_> = self.host.links.read().values().cloned().collect();
        let met = links.iter().filter(|link| link.is_welcomed() && !link.is_ending());
        let mut players: Vec<_> = met.map(|link| Self::view(link)).collect();
        players.sort_unstable_by_key(|it| it.player);
        players
    }

    fn kick(&self, player: u32, reason: &str) -> bool {
        let link = self.link(player);
        link.inspect(|link| link.end(SessionEnd::new(CloseCode::Kicked, reason))).is_some()
    }

    fn tell(&self, player: u32, text: &str) -> bool {
        let link = self.link(player);
        link.inspect(|link| link.send_control(ServerFrame::Notice(text.to_owned()))).is_some()
    }

    fn tell_all(&self, text: &str) {
        Notices::new(&self.host).send(text);
    }

    fn tell_room<'a>(
        &'a self,
        room: &'a str,
        text: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move { Notices::new(&self.host).send_to_room(room, text).await })
    }

    fn settings(&self) -> Vec<SettingView> {
        let views = settings_in_force(&self.host.config).into_iter();
        let view = |(key, value, default): (String, String, String)| SettingView {
            is_default: value == default,
            key,
            value,
            default,
        };
        views.map(view).collect()
    }

    fn sample(&self) -> MetricsSample {
        let host = &self.host;
        MetricsSample {
            server: self.server(),
            began: self.began,
            counts: host.counters.counts(),
            timing: host.rooms.scheduler().timing(),
            connections: host.links.count(),
            quic_connections: host.quic_connections.load(Ordering::Relaxed),
            topic_readers: host.topics.readers(),
            webhooks_lag_ms: host.webhooks.lag_ms(wall_ms()),
            store: host.rooms.store.as_ref().map(ServerStore::stats),
            follower: host.rooms.journals.as_ref().map(Journals::follower_stats),
        }
    }
}
