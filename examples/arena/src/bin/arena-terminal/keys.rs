use std::time::{Duration, Instant};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind};
use tickwire_arena::rules::Controls;

/// A terminal that does not report releases repeats a held key, the first time after about half a
/// second. Keys that must not be interrupted are held until then; keys that need precision are not.
const HOLD_PUSH: Duration = Duration::from_millis(550);
const HOLD_TURN: Duration = Duration::from_millis(110);

const ACTIONS: usize = 5;

/// The keys that the player holds down.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// The terminal reports when a key is released.
    tells_releases: bool,
    held: [Option<Instant>; ACTIONS],
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Left,
    Right,
    Thrust,
    Brake,
    Fire,
}

impl Keys {
    pub(crate) fn new(tells_releases: bool) -> Self {
        Keys { tells_releases, held: [None; ACTIONS] }
    }

    /// Takes a key that is not for the chat line. Returns true if it controls the ship.
    pub(crate) fn take(&mut self, key: KeyEvent, now: Instant) -> bool {
        let Some(action) = action(key.code) else { return false };
        let pressed = key.kind != KeyEventKind::Release;
        self.held[action as usize] = pressed.then_some(now);
        if pressed && !self.tells_releases {
            self.let_go_of_opposite(action);
        }
        true
    }

    /// Releases all keys: the chat line takes them from now on.
    pub(crate) fn clear(&mut self) {
        self.held = [None; ACTIONS];
    }

    pub(crate) fn controls(&self, now: Instant) -> Controls {
        let holds = |action| self.holds(action, now);
        // The arena is drawn with y up: turning from x towards y is a left turn.
        let turn =
            f32::from(u8::from(holds(Action::Left))) - f32::from(u8::from(holds(Action::Right)));
        Controls {
            turn,
            thrust: holds(Action::Thrust),
            brake: holds(Action::Brake),
            fire: holds(Action::Fire),
        }
    }

    fn holds(&self, action: Action, now: Instant) -> bool {
        let Some(since) = self.held[action as usize] else { return false };
        let hold = match action {
            Action::Left | Action::Right => HOLD_TURN,
            Action::Thrust | Action::Brake | Action::Fire => HOLD_PUSH,
        };
        self.tells_releases || now.duration_since(since) < hold
    }

    fn let_go_of_opposite(&mut self, action: Action) {
        let opposite = match action {
            Action::Left => Action::Right,
            Action::Right => Action::Left,
            Action::Thrust => Action::Brake,
            Action::Brake => Action::Thrust,
            Action::Fire => return,
        };
        self.held[opposite as usize] = None;
    }
}

fn action(code: KeyCode) -> Option<Action> {
    match code {
        KeyCode::Left | KeyCode::Char('a' | 'A') => Some(Action::Left),
        KeyCode::Right | KeyCode::Char('d' | 'D') => Some(Action::Right),
        KeyCode::Up | KeyCode::Char('w' | 'W') => Some(Action::Thrust),
        KeyCode::Down | KeyCode::Char('s' | 'S') => Some(Action::Brake),
        KeyCode::Char(' ') => Some(Action::Fire),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::KeyModifiers;

    use super::*;

    fn key(code: KeyCode, kind: KeyEventKind) -> KeyEvent {
        KeyEvent::new_with_kind(code, KeyModifiers::NONE, kind)
    }

    #[test]
    fn a_release_ends_what_is_held() {
        let start = Instant::now();
        let mut keys = Keys::new(true);
        assert!(keys.take(key(KeyCode::Up, KeyEventKind::Press), start));
        assert!(keys.take(key(KeyCode::Char('a'), KeyEventKind::Press), start));
        let later = start + Duration::from_secs(9);
        let controls = keys.controls(later);
        assert!(controls.thrust && controls.turn == 1.0);
        keys.take(key(KeyCode::Up, KeyEventKind::Release), later);
        assert!(!keys.controls(later).thrust);
        keys.clear();
        assert_eq!(keys.controls(later), Controls::default());
    }

    #[test]
    fn without_releases_a_key_is_held_for_a_moment() {
        let start = Instant::now();
        let mut keys = Keys::new(false);
        keys.take(key(KeyCode::Char(' '), KeyEventKind::Press), start);
        keys.take(key(KeyCode::Right, KeyEventKind::Press), start);
        let soon = start + Duration::from_millis(50);
        assert!(keys.controls(soon).fire && keys.controls(soon).turn == -1.0);
        keys.take(key(KeyCode::Left, KeyEventKind::Press), soon);
        assert_eq!(keys.controls(soon).turn, 1.0);
        let later = start + Duration::from_millis(300);
        assert!(keys.controls(later).fire && keys.controls(later).turn == 0.0);
        let late = start + Duration::from_secs(1);
        assert_eq!(keys.controls(late), Controls::default());
        assert!(!keys.take(key(KeyCode::Char('q'), KeyEventKind::Press), late));
    }
}
