//! The binary as `cargo run -p tickwire-minimal` starts it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tickwire_shared::control::{
    ClientFrame, RequestId, RoomQuery, STREAM_CHAT, STREAM_CONTROL, write_frame,
};

/// The time after which a wait fails; no measure of speed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server, ended when dropped.
struct Serving {
    process: Child,
    /// Host and port of the page that it printed.
    place: String,
    port: u16,
    certs: PathBuf,
}

impl Serving {
    /// Starts it by a shell, after `before`, with `flags`.
    fn start(before: &str, flags: &str) -> Serving {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tickwire-serve-{}-{number}", std::process::id());
        let certs = std::env::temp_dir().join(name);
        let program = env!("CARGO_BIN_EXE_tickwire-minimal");
        let line = format!("{before}; exec '{program}' --certs-dir '{}' {flags}", certs.display());
        let mut process = Command::new("sh")
            .args(["-c", &line])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (_, place) =
            line.trim_end().trim_end_matches('/').split_once("http=http://").expect(&line);
        let port = place.rsplit(':').next().unwrap().parse().expect(&line);
        Serving { place: place.to_owned(), port, process, certs }
    }

    /// Where its admin side listens, by its log, which nobody reads from then on.
    fn admin(&mut self) -> String {
        let mut log = BufReader::new(self.process.stderr.take().unwrap()).lines();
        let line =
            log.find(|line| line.as_ref().is_ok_and(|it| it.contains("the admin side listens")));
        let line = line.expect("the log says where the admin side listens").unwrap();
        let (_, address) = line.rsplit_once("address=").expect(&line);
        address.to_owned()
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Stops it, and gives what it logged.
    fn stop(mut self) -> String {
        self.signal("-TERM");
        let mut log = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(self.process.wait().unwrap().success(), "{log}");
        log
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.certs);
    }
}

#[test]
fn it_says_where_it_listens_is_healthy_and_stops_when_asked() {
    let server = Serving::start("true", "--listen '[::1]:0'");
    let mut health = TcpStream::connect(("::1", server.port)).unwrap();
    write!(health, "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    health.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let log = server.stop();
    assert!(log.contains("only by ::1"), "{log}");
    assert!(log.contains("--page-dir"), "{log}");
}

/// True if a QUIC endpoint answers there: it tells its versions to who asks for another one.
fn has_quic(address: SocketAddr) -> bool {
    let here = if address.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let socket = UdpSocket::bind(here).unwrap();
    socket.connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // A long header of a version that is reserved for this (RFC 9000, section 15), and two ids of 8 bytes.
    let mut packet =
        vec![0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 8, 1, 2, 3, 4, 5, 6, 7, 8];
    packet.resize(1200, 0);
    let mut answer = [0; 1500];
    let mut ask = || socket.send(&packet).and_then(|_| socket.recv(&mut answer)).is_ok();
    // A refused port fails at once.
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if ask() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

#[test]
fn the_printed_page_is_where_quic_is_whatever_its_name_means() {
    for listen in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
        let server = Serving::start("true", &format!("--listen '{listen}'"));
        let addresses: Vec<SocketAddr> = server.place.to_socket_addrs().unwrap().collect();
        for address in &addresses {
            assert!(TcpStream::connect(address).is_ok(), "{listen}: no page at {address}");
            assert!(has_quic(*address), "{listen}: no QUIC at {address}");
        }
        assert!(!addresses.is_empty(), "{listen}: {}", server.place);
        server.stop();
    }
}

#[test]
fn a_page_of_localhost_that_plays_over_a_web_socket_is_told_of_in_the_log() {
    for (listen, host, is_told) in [
        ("127.0.0.1:0", "localhost", true),
        ("0.0.0.0:0", "localhost", true),
        ("127.0.0.1:0", "127.0.0.1", false),
        ("[::]:0", "localhost", false),
    ] {
        let server = Serving::start("true", &format!("--listen '{listen}'"));
        let sessions = [(); 2].map(|()| Session::open_as(server.port, host));
        let log = server.stop();
        drop(sessions);
        let told = log.lines().filter(|line| line.contains("came to localhost")).count();
        assert_eq!(told, usize::from(is_told), "{listen} as {host}: {log}");
    }
}

#[test]
fn it_permits_itself_the_files_it_may_need_or_says_that_it_cannot() {
    let server = Serving::start(
        "ulimit -Sn 200",
        "--listen '[::1]:0' --connections-max 300 --http-connections-max 10",
    );
    let limits = format!("/proc/{}/limits", server.process.id());
    let limits = std::fs::read_to_string(limits).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let permitted: u64 = line.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!(permitted >= 330, "{line}");
    let log = server.stop();
    assert!(!log.contains("files"), "{log}");
    let server = Serving::start("ulimit -n 200", "--listen '[::1]:0'");
    let log = server.stop();
    assert!(log.contains("connections_max") && log.contains("200"), "{log}");
}

/// A session over a WebSocket, frame by frame.
struct Session(TcpStream);

impl Session {
    fn open(port: u16) -> Session {
        Session::open_as(port, "127.0.0.1")
    }

    /// One that a browser opens by the server's name `host`.
    fn open_as(port: u16, host: &str) -> Session {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let lines = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13";
        let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
        write!(stream, "GET /ws HTTP/1.1\r\nhost: {host}\r\n{lines}\r\n{key}\r\n\r\n").unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        let mut session = Session(stream);
        session.say(&ClientFrame::Hello {
            client: "test".to_owned(),
            schema: None,
            resumable: false,
            token: "".into(),
        });
        session.send(0x82, &[STREAM_CHAT]);
        session.hear();
        session
    }

    /// A short frame, under a mask of zeros.
    fn send(&mut self, kind: u8, payload: &[u8]) {
        let length = 0x80 | u8::try_from(payload.len()).unwrap();
        self.0.write_all(&[&[kind, length, 0, 0, 0, 0], payload].concat()).unwrap();
    }

    fn say(&mut self, frame: &ClientFrame) {
        let mut message = vec![STREAM_CONTROL];
        write_frame(frame, &mut message);
        self.send(0x82, &message);
    }

    /// The first byte of a frame of the server, pings aside.
    fn hear(&mut self) -> u8 {
        loop {
            let mut head = [0; 2];
            self.0.read_exact(&mut head).unwrap();
            let mut long = [0; 2];
            let length = match head[1] {
                126 => {
                    self.0.read_exact(&mut long).unwrap();
                    u64::from(u16::from_be_bytes(long))
                }
                short => u64::from(short),
            };
            std::io::copy(&mut (&mut self.0).take(length), &mut std::io::sink()).unwrap();
            if head[0] != 0x89 {
                return head[0];
            }
        }
    }
}

#[test]
fn a_server_that_stood_still_for_longer_than_the_idle_time_keeps_its_web_sockets() {
    let flags = "--listen 127.0.0.1:0 --idle-ms 1000 --keep-alive-ms 200";
    let server = Serving::start("true", flags);
    let mut sessions = [(); 8].map(|()| Session::open(server.port));
    for turn in 1..=3 {
        server.signal("-STOP");
        for _ in 0..12 {
            std::thread::sleep(Duration::from_millis(200));
            for session in &mut sessions {
                session.send(0x8a, &[]);
            }
        }
        server.signal("-CONT");
        for session in &mut sessions {
            session.say(&ClientFrame::ListRooms {
                request: RequestId(turn),
                query: RoomQuery::default(),
            });
            assert_eq!(session.hear(), 0x82, "neither a close nor its end");
        }
    }
}

/// What the command `admin` prints, and whether it succeeds.
fn admin(at: &str, token: &str, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickwire-minimal"));
    command.args(["admin", "--url", &format!("http://{at}")]).args(words);
    let out = command.env("TICKWIRE_ADMIN_TOKEN", token).output().unwrap();
    let text = [out.stdout, out.stderr].concat();
    (out.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn an_operator_asks_a_running_server_from_a_shell_also_when_nobody_reads_its_log() {
    let token = "0123456789abcdef0123456789abcdef";
    let before = format!("export TICKWIRE_ADMIN_TOKEN={token}");
    let mut server = Serving::start(&before, "--listen 127.0.0.1:0 --admin-listen 127.0.0.1:0");
    let at = server.admin();
    let mut session = Session::open(server.port);
    let (is_done, text) = admin(&at, token, &["server"]);
    assert!(is_done && text.contains("sessions       1\n"), "{text}");
    let (_, text) = admin(&at, token, &["rooms"]);
    assert_eq!(text, "none\n");
    let (_, text) = admin(&at, token, &["players"]);
    let row = text.lines().nth(1).expect(&text);
    let number = row.split(' ').next().unwrap();
    assert!(text.starts_with("PLAYER") && row.contains("websocket"), "{text}");
    let (_, text) = admin(&at, token, &["settings"]);
    assert!(text.lines().any(|line| line.starts_with("admin.listen ")), "{text}");
    let (_, text) = admin(&at, token, &["server", "--json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["phase"] == "ready");
    let (is_done, text) = admin(&at, token, &["notice", "hello", "--room", "creek"]);
    assert!(!is_done && text.starts_with("error: NoSuchRoom: "), "{text}");
    assert_eq!(admin(&at, token, &["kick", number, "be gone"]), (true, String::new()));
    // The close of a WebSocket.
    while session.hear() != 0x88 {}
    let (is_done, text) = admin(&at, "another token, which nobody made", &["server"]);
    assert!(!is_done && text.starts_with("error: TokenInvalid: "), "{text}");
    let (is_done, text) = admin("127.0.0.1:1", token, &["server"]);
    assert!(!is_done && text.contains("is there a server with admin.listen?"), "{text}");
}
