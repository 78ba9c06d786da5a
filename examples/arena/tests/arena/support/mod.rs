//! A real server and real terminals for a test.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// An arena server of its own, stopped when it is dropped.
pub(crate) struct ArenaServer {
    child: Child,
    certs: PathBuf,
    /// Where native clients connect.
    pub(crate) target: String,
}

impl ArenaServer {
    pub(crate) fn start(flags: &[&str]) -> ArenaServer {
        let certs = std::env::temp_dir().join(format!("tickwire-arena-{}", unique()));
        let mut child = Command::new(env!("CARGO_BIN_EXE_arena-server"))
            .args(["--listen", "[::1]:0", "--log", "warn", "--room-bots-max", "0", "--certs-dir"])
            .arg(&certs)
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_whitespace().find_map(|word| word.strip_prefix("udp="));
        let target = format!("quic://{}", address.expect(&line));
        ArenaServer { child, certs, target }
    }

    /// Sends the server process a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let flag = format!("-{name}");
        assert!(Command::new("kill").args([&flag, &pid]).status().unwrap().success());
    }
}

impl Drop for ArenaServer {
    fn drop(&mut self) {
        self.signal("TERM");
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.certs);
    }
}

/// A terminal of 120 by 40 in which a shell has started the client.
pub(crate) struct Terminal {
    socket: String,
}

impl Terminal {
    pub(crate) fn run(server: &ArenaServer, flags: &[&str]) -> Terminal {
        Terminal::run_at(&server.target, flags)
    }

    pub(crate) fn run_at(target: &str, flags: &[&str]) -> Terminal {
        let terminal = Terminal { socket: format!("tickwire-{}", unique()) };
        let size = ["new-session", "-d", "-x", "120", "-y", "40", "env", "PS1=$ ", "sh"];
        terminal.tmux(&["-f", "/dev/null"], &size);
        let client = env!("CARGO_BIN_EXE_arena-terminal");
        let flags: Vec<String> = flags.iter().map(|flag| format!("'{flag}'")).collect();
        let command = format!(
            "clear; '{client}' --server '{target}' {}; echo \"ended with\" $?",
            flags.join(" ")
        );
        terminal.type_text(&command);
        terminal.press(&["Enter"]);
        terminal
    }

    /// Waits until the screen shows `text`. Gives the whole screen.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.wait(&format!("`{text}`"), |screen| screen.contains(text))
    }

    /// Waits until the screen no longer shows `text`.
    pub(crate) fn wait_for_change(&self, text: &str) -> String {
        self.wait(&format!("something else than `{text}`"), |screen| !screen.contains(text))
    }

    pub(crate) fn type_text(&self, text: &str) {
        self.tmux(&[], &["send-keys", "-l", text]);
    }

    /// Presses keys by their tmux names, one after the other.
    pub(crate) fn press(&self, keys: &[&str]) {
        self.tmux(&[], &[&["send-keys"], keys].concat());
    }

    /// Presses keys again and again, as a keyboard that repeats does, until the screen no longer shows `text`.
    pub(crate) fn hold_until_change(&self, keys: &[&str], text: &str) {
        self.wait(&format!("something else than `{text}`"), |screen| {
            self.press(keys);
            !screen.contains(text)
        });
    }

    /// Sends SIGTERM to the client in this terminal.
    pub(crate) fn terminate_client(&self) {
        let shell = self.tmux(&[], &["display-message", "-p", "#{pane_pid}"]);
        let children = Command::new("ps").args(["-o", "pid=", "--ppid", &text(&shell)]).output();
        let client = text(&children.unwrap());
        assert!(Command::new("kill").args(["-TERM", &client]).status().unwrap().success());
    }

    fn wait(&self, what: &str, done: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = text(&self.tmux(&[], &["capture-pane", "-p"]));
            if done(&screen) {
                return screen;
            }
            assert!(start.elapsed() < PATIENCE, "waited in vain for {what} in\n{screen}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn tmux(&self, first: &[&str], arguments: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        command.args(first).args(["-L", &self.socket]).args(arguments);
        // A server of its own must not find itself inside another.
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8").env("TERM", "xterm-256color");
        let output = command.output().expect("tmux is needed: apt install tmux");
        assert!(output.status.success(), "tmux {arguments:?}: {output:?}");
        output
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let kill = ["-L", self.socket.as_str(), "kill-server"];
        let _ = Command::new("tmux").args(kill).output();
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
