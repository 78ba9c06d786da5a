//! Takes over the terminal and restores it.

use std::io::stdout;
use std::thread;

use anyhow::Context as _;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{
    self, DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange,
    Event, KeyboardEnhancementFlags, PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use ratatui::crossterm::{execute, terminal};
use tokio::sync::mpsc;

/// Most keys that wait to be handled; beyond it the reader waits.
const EVENTS_MAX: usize = 256;

/// The terminal during the game. Dropping it restores the terminal.
pub(crate) struct Screen {
    pub(crate) terminal: DefaultTerminal,
    /// The terminal can report released keys.
    tells_releases: bool,
    telling: bool,
}

impl Screen {
    pub(crate) fn take() -> anyhow::Result<Screen> {
        let terminal = ratatui::try_init()
            .context("this is no terminal that can be drawn on; run it in one")?;
        let tells_releases = terminal::supports_keyboard_enhancement().unwrap_or(false);
        let mut screen = Screen { terminal, tells_releases, telling: false };
        execute!(stdout(), EnableBracketedPaste, EnableFocusChange)?;
        screen.tell_releases(true)?;
        Ok(screen)
    }

    pub(crate) fn can_tell_releases(&self) -> bool {
        self.tells_releases
    }

    /// Turns on reports of releases or, for typing, characters as the keyboard gives them.
    pub(crate) fn tell_releases(&mut self, wanted: bool) -> anyhow::Result<()> {
        if !self.tells_releases || wanted == self.telling {
            return Ok(());
        }
        self.telling = wanted;
        if wanted {
            let flags = KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES
                | KeyboardEnhancementFlags::REPORT_EVENT_TYPES
                | KeyboardEnhancementFlags::REPORT_ALL_KEYS_AS_ESCAPE_CODES;
            execute!(stdout(), PushKeyboardEnhancementFlags(flags))?;
        } else {
            execute!(stdout(), PopKeyboardEnhancementFlags)?;
        }
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing helps if the terminal is gone.
        let _ = self.tell_releases(false);
        let _ = execute!(stdout(), DisableFocusChange, DisableBracketedPaste);
        ratatui::restore();
    }
}

/// The terminal's events, read on a thread of its own that ends with the process.
pub(crate) fn events() -> mpsc::Receiver<Event> {
    let (sender, events) = mpsc::channel(EVENTS_MAX);
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.blocking_send(event).is_err() {
                return;
            }
        }
    });
    events
}
