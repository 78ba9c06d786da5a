//! The arena itself, in braille dots.

use std::time::Instant;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::Line as TextLine;
use ratatui::widgets::canvas::{Canvas, Circle, Context, Line, Points};
use tickwire_arena::rules::motion::direction;
use tickwire_arena::rules::{Asteroid, Gift, PICKUP_RADIUS, SHIP_RADIUS, Ship, Team, WORLD_HALF};
use tickwire_shared::EntityId;
use tickwire_shared::glam::{Vec2, vec2};

use crate::scene::Scene;

/// Width of the picture in units, as in the browser.
const VIEW_WIDTH: f32 = 1200.0;
/// Drawn larger than it is: the true size would be five dots.
const SHIP_DRAWN: f32 = SHIP_RADIUS * 1.5;
const STAR_SPACING: f32 = 140.0;
const CORNERS: u32 = 9;

/// Draws the arena around the camera.
pub(crate) fn draw(frame: &mut Frame, area: Rect, scene: &Scene, now: Instant, seconds: f32) {
    let half = half_view(area);
    let (low, high) = (scene.camera - half, scene.camera + half);
    let canvas = Canvas::default()
        .marker(Marker::Braille)
        .x_bounds([f64::from(low.x), f64::from(high.x)])
        .y_bounds([f64::from(low.y), f64::from(high.y)])
        .paint(|ctx| {
            stars(ctx, low, high);
            walls(ctx);
            ctx.layer();
            for (id, asteroid) in &scene.asteroids {
                rock(ctx, *id, asteroid, seconds);
            }
            for pickup in &scene.pickups {
                gift(ctx, pickup.pos, pickup.gift);
            }
            ctx.layer();
            for shot in &scene.shots {
                let tail = shot.pos - shot.vel * 0.02;
                line(ctx, shot.pos, tail, team_color(shot.team));
            }
            for blast in &scene.blasts {
                ring(ctx, blast.pos, blast.radius * blast.phase(now).sqrt());
            }
            ctx.layer();
            for (player, ship) in &scene.ships {
                draw_ship(ctx, ship, seconds);
                if *player != scene.me {
                    label(ctx, half, ship, scene.name(*player));
                }
            }
        });
    frame.render_widget(canvas, area);
}

/// Draws a map of the whole arena: the leaders, nearby ships, and this player as a ring.
pub(crate) fn draw_map(frame: &mut Frame, area: Rect, scene: &Scene) {
    let bounds = [f64::from(-WORLD_HALF), f64::from(WORLD_HALF)];
    let canvas =
        Canvas::default().marker(Marker::Braille).x_bounds(bounds).y_bounds(bounds).paint(|ctx| {
            for (_, ship) in &scene.ships {
                dot(ctx, ship.pos, team_color(ship.team));
            }
            for leader in &scene.leaders {
                dot(ctx, leader.pos, team_color(leader.team));
            }
            ctx.layer();
            let (x, y) = (f64::from(scene.camera.x), f64::from(scene.camera.y));
            ctx.draw(&Circle { x, y, radius: 160.0, color: Color::White });
        });
    frame.render_widget(canvas, area);
}

pub(crate) fn team_color(team: Team) -> Color {
    match team {
        Team::Azure => Color::LightBlue,
        Team::Amber => Color::LightYellow,
    }
}

/// Half of the visible area, with square dots: a cell is two dots wide and four high.
fn half_view(area: Rect) -> Vec2 {
    let (columns, rows) = (f32::from(area.width.max(1)), f32::from(area.height.max(1)));
    vec2(VIEW_WIDTH, VIEW_WIDTH * rows * 2.0 / columns) / 2.0
}

fn draw_ship(ctx: &mut Context, ship: &Ship, seconds: f32) {
    let nose = direction(ship.heading);
    let side = nose.perp();
    let color = team_color(ship.team);
    let tip = ship.pos + nose * SHIP_DRAWN * 1.3;
    let left = ship.pos - nose * SHIP_DRAWN + side * SHIP_DRAWN;
    let right = ship.pos - nose * SHIP_DRAWN - side * SHIP_DRAWN;
    line(ctx, tip, left, color);
    line(ctx, tip, right, color);
    line(ctx, left, right, color);
    if ship.overdrive {
        dot(ctx, ship.pos, Color::LightMagenta);
    }
    if ship.thrusting {
        let flicker = 1.6 + 0.6 * (seconds * 40.0).sin();
        let flame = ship.pos - nose * SHIP_DRAWN * flicker;
        line(ctx, ship.pos - nose * SHIP_DRAWN, flame, Color::LightRed);
    }
    if ship.shielded {
        ring(ctx, ship.pos, SHIP_DRAWN * 2.0);
    }
}

fn label(ctx: &mut Context, half: Vec2, ship: &Ship, name: String) {
    let text = if ship.health < 100 { format!("{name} {}%", ship.health) } else { name };
    // A column is 1/100 of the width on a wide terminal: accurate enough for centring.
    let offset = vec2(-(text.chars().count() as f32) * half.x / 110.0, SHIP_RADIUS * 3.0);
    let at = ship.pos + offset;
    let style = Style::new().fg(team_color(ship.team)).dim();
    ctx.print(f64::from(at.x), f64::from(at.y), TextLine::styled(text, style));
}

/// A turning jagged outline, different for each rock.
fn rock(ctx: &mut Context, id: EntityId, asteroid: &Asteroid, seconds: f32) {
    let corner = |n: u32| {
        let n = n % CORNERS;
        let bump = hash(id.0.wrapping_mul(31).wrapping_add(n)) % 100;
        let radius = asteroid.size.radius() * (0.82 + bump as f32 / 100.0 * 0.3);
        let angle = n as f32 / CORNERS as f32 * std::f32::consts::TAU + asteroid.spin * seconds;
        asteroid.pos + Vec2::from_angle(angle) * radius
    };
    for n in 0..CORNERS {
        line(ctx, corner(n), corner(n + 1), Color::Gray);
    }
}

fn gift(ctx: &mut Context, pos: Vec2, gift: Gift) {
    let (color, sign) = match gift {
        Gift::Repair => (Color::LightGreen, "+"),
        Gift::Overdrive => (Color::LightMagenta, "»"),
    };
    let (x, y) = (f64::from(pos.x), f64::from(pos.y));
    ctx.draw(&Circle { x, y, radius: f64::from(PICKUP_RADIUS), color });
    ctx.print(x, y, TextLine::styled(sign, Style::new().fg(color).bold()));
}

fn stars(ctx: &mut Context, low: Vec2, high: Vec2) {
    let cells = |low: f32, high: f32| {
        (low / STAR_SPACING).floor() as i32..=(high / STAR_SPACING).ceil() as i32
    };
    let mut coords = Vec::new();
    for row in cells(low.y, high.y) {
        for column in cells(low.x, high.x) {
            let hash = hash((row as u32).wrapping_mul(0x9E37_79B1) ^ column as u32);
            let within = vec2((hash & 0xff) as f32, (hash >> 8 & 0xff) as f32) / 256.0;
            let star = (vec2(column as f32, row as f32) + within) * STAR_SPACING;
            if star.abs().max_element() < WORLD_HALF {
                coords.push((f64::from(star.x), f64::from(star.y)));
            }
        }
    }
    ctx.draw(&Points { coords: &coords, color: Color::DarkGray });
}

fn walls(ctx: &mut Context) {
    let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0)];
    for ends in corners.windows(2) {
        let [from, to] = [ends[0], ends[1]].map(|(x, y)| vec2(x, y) * WORLD_HALF);
        line(ctx, from, to, Color::Red);
    }
}

fn ring(ctx: &mut Context, pos: Vec2, radius: f32) {
    let circle = Circle {
        x: f64::from(pos.x),
        y: f64::from(pos.y),
        radius: f64::from(radius),
        color: Color::White,
    };
    ctx.draw(&circle);
}

fn dot(ctx: &mut Context, pos: Vec2, color: Color) {
    ctx.draw(&Points { coords: &[(f64::from(pos.x), f64::from(pos.y))], color });
}

fn line(ctx: &mut Context, from: Vec2, to: Vec2, color: Color) {
    let [x1, y1, x2, y2] = [from.x, from.y, to.x, to.y].map(f64::from);
    ctx.draw(&Line { x1, y1, x2, y2, color });
}

fn hash(number: u32) -> u32 {
    let mixed = (number ^ (number >> 16)).wrapping_mul(0x7FEB_352D);
    (mixed ^ (mixed >> 15)).wrapping_mul(0x846C_A68B) >> 8
}
