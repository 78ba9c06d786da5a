//! The binary as `cargo run -p tickwire-minimal` starts it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tickwire_shared::control::{
    ClientFrame, RequestId, RoomQuery, STREAM_CHAT, STREAM_CONTROL, write_frame,
};

/// A running server, ended when dropped.
struct Serving {
    process: Child,
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
        let port = line.trim_end().trim_end_matches('/').rsplit(':').next().unwrap();
        Serving { port: port.parse().expect(&line), process, certs }
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
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let lines = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13";
        let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
        write!(stream, "GET /ws HTTP/1.1\r\nhost: 127.0.0.1\r\n{lines}\r\n{key}\r\n\r\n").unwrap();
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
