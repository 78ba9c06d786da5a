//! Connects the client, the keys and the screen.

use std::time::{Duration, Instant};

use anyhow::bail;
use ratatui::crossterm::event::Event as TerminalEvent;
use tickwire_arena::rules::{Arena, ChangeTeam, Command};
use tickwire_client::session::NetStats;
use tickwire_client::{Client, ClientEvent, ConnectionEvent};
use tickwire_shared::control::{CloseCode, Member, ServerChat, ServerFrame};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

use crate::app::{App, Wish};
use crate::corrections::CorrectionFile;
use crate::screen;
use crate::terminal::{self, Screen};

const UPDATE_EVERY: Duration = Duration::from_micros(16_667);
/// The screen is drawn at every second update: terminals cannot keep up with more.
const UPDATES_PER_FRAME: u32 = 2;
/// Silence of the server after which it is mentioned; the session ends by itself after 15 s of it.
const SILENCE_SHOWN: Duration = Duration::from_secs(2);
const NET_EVERY: Duration = Duration::from_millis(500);

/// Plays until the player quits. Returns a text to print at the end.
///
/// # Errors
/// The reason why the server ended the session, or the terminal's failure.
pub(crate) async fn play(
    client: Client<Arena>,
    watching: bool,
    corrections: Option<CorrectionFile>,
) -> anyhow::Result<String> {
    let mut screen = Screen::take()?;
    let mut game = Game::new(client, watching, screen.can_tell_releases());
    game.corrections = corrections;
    let end = game.run(&mut screen).await;
    drop(screen);
    let score = game.score;
    if !game.client.is_over() {
        game.client.close().await;
    }
    end?;
    Ok(if watching { "goodbye".to_owned() } else { format!("goodbye; your score was {score}") })
}

struct Game {
    client: Client<Arena>,
    /// Where corrections go, if anybody wants them.
    corrections: Option<CorrectionFile>,
    app: App,
    score: u16,
    meter: Meter,
}

/// Measures the network over the last moment.
struct Meter {
    since: Instant,
    stats: NetStats,
}

impl Game {
    fn new(client: Client<Arena>, watching: bool, tells_releases: bool) -> Self {
        let now = Instant::now();
        let mut app = App::new(tells_releases, now);
        app.spectator = watching;
        app.scene.me = client.player();
        let meter = Meter { since: now, stats: client.stats() };
        let mut game = Game { client, corrections: None, app, score: 0, meter };
        game.take_members();
        game
    }

    async fn run(&mut self, screen: &mut Screen) -> anyhow::Result<()> {
        let mut events = terminal::events();
        let mut stop = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut clock = tokio::time::interval(UPDATE_EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut updates = 0;
        loop {
            tokio::select! {
                event = events.recv() => {
                    let Some(event) = event else { bail!("the terminal is gone") };
                    if self.take_terminal(&event) {
                        return Ok(());
                    }
                    screen.tell_releases(self.app.typing.is_none())?;
                }
                _ = clock.tick() => {
                    self.update()?;
                    updates += 1;
                    if updates % UPDATES_PER_FRAME == 0 {
                        let now = Instant::now();
                        screen.terminal.draw(|frame| screen::draw(frame, &self.app, now))?;
                    }
                }
                _ = stop.recv() => return Ok(()),
                _ = hangup.recv() => return Ok(()),
            }
        }
    }

    /// Handles a terminal event. Returns true if the player wants to leave.
    fn take_terminal(&mut self, event: &TerminalEvent) -> bool {
        match event {
            TerminalEvent::Key(key) => match self.app.press(*key, Instant::now()) {
                Wish::Quit => return true,
                Wish::Say(text) => {
                    self.client.say(&text);
                }
                Wish::ChangeTeam => {
                    self.client.command(&Command::ChangeTeam(ChangeTeam {}));
                }
                Wish::Nothing => {}
            },
            TerminalEvent::Paste(text) => self.app.paste(text),
            // The terminal does not report keys released elsewhere.
            TerminalEvent::FocusLost => self.app.keys.clear(),
            _ => {}
        }
        false
    }

    fn update(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        if !self.app.spectator {
            self.client.set_input(self.app.keys.controls(now));
        }
        self.client.update();
        if let Some(corrections) = &mut self.corrections {
            corrections.take(&mut self.client)?;
        }
        while let Some(event) = self.client.poll_event() {
            self.take_event(event, now)?;
        }
        let seen = self.client.entities().map(|seen| (seen.id, seen.entity));
        self.app.scene.look(seen, now);
        if let Some(own) = self.app.scene.own {
            self.score = own.score;
        }
        let silence = Duration::from_secs_f32(self.client.stats().silence_ms / 1000.0);
        self.app.banner = (silence > SILENCE_SHOWN)
            .then(|| format!("no word from the server for {} s", silence.as_secs()));
        if now.duration_since(self.meter.since) >= NET_EVERY {
            self.measure(now);
        }
        Ok(())
    }

    fn take_event(
        &mut self,
        event: ClientEvent<tickwire_arena::rules::Event>,
        now: Instant,
    ) -> anyhow::Result<()> {
        match event {
            // An explosion that was seen cannot be undone.
            ClientEvent::Cancelled { .. } => {}
            ClientEvent::Game { event, .. } | ClientEvent::Predicted { event, .. } => {
                if let Some(line) = self.app.scene.happen(event, now) {
                    self.app.note(None, line);
                }
            }
            ClientEvent::Chat(ServerChat::Sent { .. }) => {}
            ClientEvent::Chat(ServerChat::History { messages, .. }) => {
                for said in messages {
                    self.app.note(Some(said.name), said.text);
                }
            }
            ClientEvent::Chat(ServerChat::Message(said)) => {
                let name = match said.to {
                    Some(_) => format!("{} (to you)", said.name),
                    None => said.name,
                };
                self.app.note(Some(name), said.text);
            }
            ClientEvent::Chat(
                ServerChat::Notice { text, .. } | ServerChat::Refused { text, .. },
            )
            | ClientEvent::Control(ServerFrame::Notice(text) | ServerFrame::Refused { text, .. })
            | ClientEvent::NotPredicted { text } => {
                self.app.note(None, text);
            }
            ClientEvent::Control(ServerFrame::Removed { text }) => {
                bail!("the game is over: {text}")
            }
            ClientEvent::Control(_) => self.take_members(),
            ClientEvent::Connection(ConnectionEvent::Reconnecting { attempt, .. }) => {
                if attempt == 1 {
                    self.app.note(None, "the connection was lost; trying to come back".to_owned());
                }
            }
            ClientEvent::Connection(ConnectionEvent::Resumed { .. }) => {
                self.app.note(None, "the connection is back".to_owned());
            }
            // It goes on as before, only faster.
            ClientEvent::Connection(ConnectionEvent::Moved) => {}
            // The arena has none.
            ClientEvent::StaticData { .. }
            | ClientEvent::StaticChanged { .. }
            | ClientEvent::Topic(_) => {}
            ClientEvent::Over { code: CloseCode::Normal, .. } => bail!("the server said goodbye"),
            ClientEvent::Over { text, .. } => bail!("the game is over: {text}"),
        }
        Ok(())
    }

    fn take_members(&mut self) {
        let members = self.client.members();
        self.app.scene.names = members.map(|member| (member.player, member.name.clone())).collect();
        let people = |member: &&Member| !member.spectator && !member.bot;
        self.app.players = self.client.members().filter(people).count();
        self.app.bots = self.client.members().filter(|member| member.bot).count();
    }

    fn measure(&mut self, now: Instant) {
        let stats = self.client.stats();
        let seconds = now.duration_since(self.meter.since).as_secs_f64();
        let before = std::mem::replace(&mut self.meter, Meter { since: now, stats }).stats;
        let per_second = |new: u64, old: u64| new.saturating_sub(old) as f64 / seconds;
        let kbps = |new, old| per_second(new, old) * 8.0 / 1000.0;
        self.app.net = vec![
            format!("{} · room {}", self.client.transport(), self.client.room().unwrap_or("-")),
            format!("round trip {:5.1} ms", stats.rtt_ms),
            format!("jitter     {:5.1} ms", stats.jitter_ms),
            format!("loss       {:5.1} %", stats.loss_fraction() * 100.0),
            format!(
                "{:.0}/s · {:.0} down {:.0} up kbit",
                per_second(stats.snapshots, before.snapshots),
                kbps(stats.bytes_in, before.bytes_in),
                kbps(stats.bytes_out, before.bytes_out),
            ),
        ];
    }
}
