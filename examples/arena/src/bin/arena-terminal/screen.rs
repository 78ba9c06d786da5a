//! The layout of the screen.

use std::time::Instant;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Gauge, Paragraph};
use tickwire_arena::rules::{HEALTH_MAX, Team};

use crate::app::App;
use crate::field::{self, team_color};

const SIDE_WIDTH: u16 = 30;
const CHAT_HEIGHT: u16 = 7;
/// Smaller screens leave all their space to the arena.
const WIDTH_FOR_SIDE: u16 = 72;
const HEIGHT_FOR_CHAT: u16 = 20;

/// Draws everything.
pub(crate) fn draw(frame: &mut Frame, app: &App, now: Instant) {
    let area = frame.area();
    let side = if area.width >= WIDTH_FOR_SIDE { SIDE_WIDTH } else { 0 };
    let chat = if area.height >= HEIGHT_FOR_CHAT { CHAT_HEIGHT } else { 1 };
    let [left, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(side)]).areas(area);
    let [arena, below] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(chat)]).areas(left);
    draw_arena(frame, arena, app, now);
    draw_chat(frame, below, app);
    if side > 0 {
        draw_side(frame, right, app);
    }
}

fn draw_arena(frame: &mut Frame, area: Rect, app: &App, now: Instant) {
    let block = Block::bordered().title(round_title(app)).border_style(Color::DarkGray);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    field::draw(frame, inner, &app.scene, now, app.seconds(now));
    if let Some(text) = banner(app, now) {
        let width = (text.chars().count() as u16 + 4).min(inner.width);
        let at = Rect {
            x: inner.x + (inner.width - width) / 2,
            y: inner.y + inner.height / 3,
            width,
            height: 3.min(inner.height),
        };
        frame.render_widget(Clear, at);
        let lines = Paragraph::new(text).alignment(Alignment::Center).block(Block::bordered());
        frame.render_widget(lines.fg(Color::White).bold(), at);
    }
}

fn round_title(app: &App) -> Line<'static> {
    let Some(round) = app.scene.round else { return Line::from(" arena ") };
    let (minutes, seconds) = (round.seconds_left / 60, round.seconds_left % 60);
    Line::from(vec![
        Span::styled(format!(" azure {} ", round.azure), team_color(Team::Azure)),
        Span::raw(format!("{minutes}:{seconds:02}")),
        Span::styled(format!(" {} amber ", round.amber), team_color(Team::Amber)),
    ])
}

fn banner(app: &App, now: Instant) -> Option<String> {
    if let Some(notice) = &app.banner {
        return Some(notice.clone());
    }
    let seconds = app.scene.seconds_to_respawn(now)?;
    let (killer, _) = app.scene.lost?;
    Some(match killer.0 {
        0 => format!("you hit a rock · next ship in {seconds} s"),
        _ => format!("shot down by {} · next ship in {seconds} s", app.scene.name(killer)),
    })
}

fn draw_chat(frame: &mut Frame, area: Rect, app: &App) {
    let [log, input] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    let newest = app.chat.iter().rev().take(usize::from(log.height)).rev();
    let lines: Vec<Line> = newest
        .map(|said| match &said.name {
            Some(name) => Line::from(vec![
                Span::styled(format!("{name}: "), Style::new().fg(Color::LightCyan)),
                Span::raw(said.text.as_str()),
            ]),
            None => Line::from(said.text.as_str()).dim(),
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), log);
    let prompt = match &app.typing {
        Some(text) => {
            // Keeps the end of a long line in view.
            let room = usize::from(input.width.saturating_sub(3));
            let skipped = text.chars().count().saturating_sub(room);
            let shown: String = text.chars().skip(skipped).collect();
            let column = input.x + 2 + shown.chars().count() as u16;
            frame.set_cursor_position((column.min(input.right().saturating_sub(1)), input.y));
            Line::from(format!("> {shown}"))
        }
        None => {
            Line::from("arrows or WASD fly · space fires · Enter chats · x changes team · q quits")
                .dim()
        }
    };
    frame.render_widget(Paragraph::new(prompt), input);
}

fn draw_side(frame: &mut Frame, area: Rect, app: &App) {
    let [ship, board, map, net] = Layout::vertical([
        Constraint::Length(6),
        Constraint::Length(10),
        Constraint::Fill(1),
        Constraint::Length(7),
    ])
    .areas(area);
    draw_ship(frame, ship, app);
    draw_board(frame, board, app);
    if map.height > 4 {
        let block = titled("map");
        field::draw_map(frame, block.inner(map), &app.scene);
        frame.render_widget(block, map);
    }
    let lines: Vec<Line> = app.net.iter().map(|line| Line::from(line.as_str())).collect();
    frame.render_widget(Paragraph::new(lines).block(titled("network")), net);
}

fn draw_ship(frame: &mut Frame, area: Rect, app: &App) {
    let name = app.scene.name(app.scene.me);
    let color = app.scene.team().map_or(Color::DarkGray, team_color);
    let block = titled(&name).border_style(color);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Some(own) = app.scene.own else {
        let text = if app.spectator { "watching" } else { "no ship" };
        frame.render_widget(Paragraph::new(text).dim(), inner);
        return;
    };
    let [health, heat, score, losses] = Layout::vertical([Constraint::Length(1); 4]).areas(inner);
    let health_color = match own.health {
        0..=30 => Color::Red,
        31..=60 => Color::Yellow,
        _ => Color::Green,
    };
    let gauge = |part: f64, color| Gauge::default().ratio(part.clamp(0.0, 1.0)).gauge_style(color);
    let part = f64::from(own.health) / f64::from(HEALTH_MAX);
    frame.render_widget(gauge(part, health_color).label(format!("hull {}", own.health)), health);
    let glow = if own.heat > 87 { Color::Red } else { Color::DarkGray };
    let label = if own.overdrive { "overdrive".to_owned() } else { format!("heat {}", own.heat) };
    frame.render_widget(gauge(f64::from(own.heat) / 100.0, glow).label(label), heat);
    frame.render_widget(Paragraph::new(format!("score {}", own.score)).bold(), score);
    let record = format!("{} shot down, {} lost", own.kills, own.deaths);
    frame.render_widget(Paragraph::new(record), losses);
}

fn draw_board(frame: &mut Frame, area: Rect, app: &App) {
    let width = usize::from(area.width.saturating_sub(9));
    let line = |leader: &tickwire_arena::rules::Leader| {
        let name: String = app.scene.name(leader.player).chars().take(width).collect();
        let line = Line::from(format!("{name:<width$} {:>5}", leader.score));
        let line = line.fg(team_color(leader.team));
        if leader.player == app.scene.me { line.bold().reversed() } else { line }
    };
    let lines: Vec<Line> = app.scene.leaders.iter().map(line).collect();
    let bots = if app.bots > 0 { format!(", {} bots", app.bots) } else { String::new() };
    let title = format!("{} in the room{bots}", app.players);
    frame.render_widget(Paragraph::new(lines).block(titled(&title)), area);
}

fn titled(title: &str) -> Block<'static> {
    Block::bordered().title(format!(" {title} ")).border_style(Color::DarkGray)
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use tickwire_arena::rules::{Arena, Controls, Entity, Event, Kill, RESPAWN_TICKS};
    use tickwire_shared::{
        Capture, Inputs, NewPlayer, NewRoom, Outbox, PlayerId, Simulation, Tick,
    };

    use super::*;

    /// An arena with three players, seen by the first.
    fn app(now: Instant) -> App {
        let mut app = App::new(true, now);
        let mut arena = Arena::new(&NewRoom::with_seed(4));
        for (player, name) in (1..).zip(["Ada", "Grace", "Edsger"]) {
            arena.join(&NewPlayer::named(PlayerId(player), name));
            app.scene.names.insert(PlayerId(player), name.to_owned());
        }
        let inputs = [(PlayerId(1), Controls { fire: true, ..Controls::default() })];
        for tick in 0..40 {
            arena.step(&Inputs::new(Tick(tick), &inputs), &mut Outbox::default());
        }
        app.scene.me = PlayerId(1);
        let mut capture = Capture::default();
        arena.capture(&mut capture);
        app.scene.look(capture.drain().map(|shown| (shown.id, shown.entity)), now);
        app
    }

    fn drawn(app: &App, width: u16, height: u16, now: Instant) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, app, now)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn shows_the_arena_the_ship_the_board_and_the_chat() {
        let now = Instant::now();
        let mut app = app(now);
        app.note(Some("Grace".to_owned()), "hello there".to_owned());
        app.note(None, "Edsger joined".to_owned());
        let screen = drawn(&app, 110, 36, now);
        println!("{screen}");
        for text in [
            "azure 0",
            "5:00",
            "hull 100",
            "score 0",
            "Ada",
            "Grace: hello there",
            "Edsger joined",
            "q quits",
        ] {
            assert!(screen.contains(text), "no `{text}` in\n{screen}");
        }
        let braille = screen.chars().filter(|char| ('\u{2801}'..='\u{28ff}').contains(char));
        assert!(braille.count() > 50);
    }

    #[test]
    fn says_who_shot_the_ship_down_and_counts_until_the_next() {
        let now = Instant::now();
        let mut app = app(now);
        let pos = app.scene.camera;
        let kill = Kill { pos, killer: PlayerId(2), victim: PlayerId(1) };
        let line = app.scene.happen(Event::Kill(kill), now);
        assert_eq!(line.as_deref(), Some("Grace shot down Ada"));
        let others: [(tickwire_shared::EntityId, Entity); 0] = [];
        app.scene.look(others, now);
        assert_eq!(app.scene.camera, pos, "the picture stays where the ship was lost");
        let screen = drawn(&app, 110, 36, now);
        assert!(screen.contains("shot down by Grace · next ship in 3 s"), "{screen}");
        let later = now + std::time::Duration::from_millis(u64::from(RESPAWN_TICKS) * 10);
        assert!(drawn(&app, 110, 36, later).contains("next ship in 2 s"));
    }

    #[test]
    fn every_size_of_terminal_can_be_drawn() {
        let now = Instant::now();
        let mut app = app(now);
        app.typing = Some("a line that is much longer than the screen is wide".to_owned());
        app.banner = Some("the server is gone".to_owned());
        for width in [1, 2, 10, 40, 71, 72, 300] {
            for height in [1, 2, 5, 19, 20, 24, 90] {
                drawn(&app, width, height, now);
            }
        }
    }
}
