use std::collections::VecDeque;
use std::time::Instant;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::keys::Keys;
use crate::scene::Scene;

const CHAT_LINES_MAX: usize = 200;
const TYPED_CHARS_MAX: usize = 500;

/// The player's view and input, without the connection.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) scene: Scene,
    pub(crate) keys: Keys,
    pub(crate) chat: VecDeque<Said>,
    /// The chat line, while it is open.
    pub(crate) typing: Option<String>,
    /// Lines of network statistics.
    pub(crate) net: Vec<String>,
    /// Text in the middle of the screen.
    pub(crate) banner: Option<String>,
    pub(crate) players: usize,
    pub(crate) bots: usize,
    pub(crate) spectator: bool,
    started: Instant,
}

/// A line of the chat pane.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    /// `None` for lines that nobody said: notices and events.
    pub(crate) name: Option<String>,
    pub(crate) text: String,
}

/// The action that a key requests.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wish {
    Nothing,
    Quit,
    Say(String),
    ChangeTeam,
}

impl App {
    pub(crate) fn new(tells_releases: bool, now: Instant) -> Self {
        App {
            scene: Scene::default(),
            keys: Keys::new(tells_releases),
            chat: VecDeque::new(),
            typing: None,
            net: Vec::new(),
            banner: None,
            players: 0,
            bots: 0,
            spectator: false,
            started: now,
        }
    }

    pub(crate) fn seconds(&self, now: Instant) -> f32 {
        now.duration_since(self.started).as_secs_f32()
    }

    pub(crate) fn note(&mut self, name: Option<String>, text: String) {
        if self.chat.len() == CHAT_LINES_MAX {
            self.chat.pop_front();
        }
        self.chat.push_back(Said { name, text });
    }

    /// Takes a key from the terminal.
    pub(crate) fn press(&mut self, key: KeyEvent, now: Instant) -> Wish {
        let pressed = key.kind != KeyEventKind::Release;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if pressed && control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            return Wish::Quit;
        }
        if self.typing.is_some() {
            return if pressed { self.edit(key.code) } else { Wish::Nothing };
        }
        if self.keys.take(key, now) || !pressed {
            return Wish::Nothing;
        }
        match key.code {
            KeyCode::Esc | KeyCode::Char('q' | 'Q') => return Wish::Quit,
            KeyCode::Enter | KeyCode::Char('t' | 'T' | '/') => {
                self.keys.clear();
                self.typing = Some(String::new());
            }
            KeyCode::Char('x' | 'X') => return Wish::ChangeTeam,
            _ => {}
        }
        Wish::Nothing
    }

    /// Takes text pasted into the terminal.
    pub(crate) fn paste(&mut self, text: &str) {
        let Some(line) = &mut self.typing else { return };
        let room = TYPED_CHARS_MAX.saturating_sub(line.chars().count());
        line.extend(text.chars().filter(|char| !char.is_control()).take(room));
    }

    fn edit(&mut self, code: KeyCode) -> Wish {
        match code {
            KeyCode::Esc => self.typing = None,
            KeyCode::Enter => {
                let text = self.typing.take().unwrap_or_default();
                if !text.trim().is_empty() {
                    return Wish::Say(text.trim().to_owned());
                }
            }
            KeyCode::Backspace => {
                if let Some(line) = &mut self.typing {
                    line.pop();
                }
            }
            KeyCode::Char(char) => self.paste(char.encode_utf8(&mut [0; 4])),
            _ => {}
        }
        Wish::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(app: &mut App, code: KeyCode, now: Instant) -> Wish {
        app.press(KeyEvent::new(code, KeyModifiers::NONE), now)
    }

    #[test]
    fn the_chat_line_takes_every_key_until_it_is_sent_or_left() {
        let now = Instant::now();
        let mut app = App::new(true, now);
        assert_eq!(press(&mut app, KeyCode::Up, now), Wish::Nothing);
        assert!(app.keys.controls(now).thrust);
        press(&mut app, KeyCode::Enter, now);
        assert!(!app.keys.controls(now).thrust, "the ship flies on while chatting");
        for char in "qua wx".chars() {
            assert_eq!(press(&mut app, KeyCode::Char(char), now), Wish::Nothing);
        }
        press(&mut app, KeyCode::Backspace, now);
        app.paste("x\n!");
        assert_eq!(press(&mut app, KeyCode::Enter, now), Wish::Say("qua wx!".to_owned()));
        press(&mut app, KeyCode::Enter, now);
        assert_eq!(press(&mut app, KeyCode::Esc, now), Wish::Nothing);
        assert_eq!(app.typing, None);
        assert_eq!(press(&mut app, KeyCode::Char('x'), now), Wish::ChangeTeam);
        assert_eq!(press(&mut app, KeyCode::Char('q'), now), Wish::Quit);
    }

    #[test]
    fn control_c_quits_even_while_typing() {
        let now = Instant::now();
        let mut app = App::new(false, now);
        press(&mut app, KeyCode::Enter, now);
        let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(app.press(key, now), Wish::Quit);
    }

    #[test]
    fn the_chat_pane_and_the_chat_line_are_bounded() {
        let now = Instant::now();
        let mut app = App::new(false, now);
        for _ in 0..1000 {
            app.note(None, "line".to_owned());
        }
        assert_eq!(app.chat.len(), CHAT_LINES_MAX);
        press(&mut app, KeyCode::Enter, now);
        app.paste(&"x".repeat(2000));
        assert_eq!(app.typing.unwrap().len(), TYPED_CHARS_MAX);
    }
}
