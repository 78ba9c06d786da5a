//! Webhooks of the binary, over kills of its process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tickwire-minimal");
/// The time after which a wait fails; no measure of speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time for which the receiver is down, with three kills in it: `TICKWIRE_DOWN_S` seconds, by default none.
fn down() -> Duration {
    let seconds = std::env::var("TICKWIRE_DOWN_S").ok();
    let seconds = seconds.map_or(0, |it| it.parse().expect("TICKWIRE_DOWN_S is seconds"));
    Duration::from_secs(seconds)
}

/// A directory, removed when dropped.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("tickwire-webhooks-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Dir(dir)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running server, killed when dropped.
struct Killed {
    process: Child,
    port: u16,
}

impl Killed {
    fn start(dir: &Path, receiver: SocketAddr) -> Self {
        let mut command = Command::new(PROGRAM);
        command.current_dir(dir).args(["--listen", "127.0.0.1:0", "--certs-dir", "certs"]);
        command.args(["--store", "store", "--topics-enabled", "--topics-publish", "**"]);
        command.args(["--webhooks-url", &format!("http://{receiver}/hooks")]);
        command.args(["--webhooks-secret-file", "webhook.key"]);
        command.args(["--webhooks-patterns", "mentions/*", "--webhooks-retry-max-ms", "50"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim_end().trim_end_matches('/').rsplit(':').next().unwrap();
        let port = port.parse().expect(&line);
        Killed { process, port }
    }

    fn publish(&self, text: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = "POST /topics/mentions/ann HTTP/1.1\r\nhost: localhost\r\nconnection: close";
        write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{text}", text.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Answers requests, with 410 where a message's text is `bad`, until one has the text `last`. Returns ids and texts.
fn receive(listener: &TcpListener, last: &str) -> Vec<(String, String)> {
    let end = Instant::now() + PATIENCE;
    let mut received = Vec::new();
    loop {
        assert!(Instant::now() < end, "{received:?}");
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut bytes = 0;
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap() > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                bytes = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; bytes];
        reader.read_exact(&mut body).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let word = |name: &str| body[name].as_str().unwrap().to_owned();
        let status = if word("text") == "bad" { 410 } else { 200 };
        let answer =
            format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
        received.push((word("id"), word("text")));
        if word("text") == last {
            return received;
        }
    }
}

#[test]
fn messages_arrive_though_the_receiver_was_down_and_the_server_killed_and_dead_letters_are_listed()
{
    let dir = Dir::new();
    std::fs::write(
        dir.0.join("webhook.key"),
        "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n",
    )
    .unwrap();
    // Nobody is given a port below 32,768 by the system, so this one is nobody's until the receiver has it.
    let port = 20_000 + (std::process::id() % 10_000) as u16;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    for text in ["one", "bad", "two"] {
        let server = Killed::start(&dir.0, address);
        server.publish(text);
        std::thread::sleep(down() / 3);
        drop(server);
    }
    let listener = TcpListener::bind(address).unwrap();
    let server = Killed::start(&dir.0, address);
    server.publish("three");
    let received = receive(&listener, "three");
    // A dead letter is on disk before the next message goes out.
    drop(server);
    let mut texts: Vec<&str> = received.iter().map(|(_, text)| text.as_str()).collect();
    texts.dedup();
    assert_eq!(texts, ["one", "bad", "two", "three"]);
    let mut command = Command::new(PROGRAM);
    let letters = command.args(["store", "dead-letters"]).arg(dir.0.join("store")).output();
    let text = String::from_utf8(letters.unwrap().stdout).unwrap();
    let letter: Value = serde_json::from_str(&text).expect("one line");
    let id = &received.iter().find(|(_, text)| text == "bad").unwrap().0;
    assert_eq!((letter["id"].as_str(), letter["attempts"].as_u64()), (Some(id.as_str()), Some(1)));
    assert!(letter["reason"].as_str().unwrap().contains("410"), "{text}");
    let body: Value = serde_json::from_str(letter["body"].as_str().unwrap()).unwrap();
    assert_eq!((&body["text"], &body["topic"]), (&"bad".into(), &"mentions/ann".into()));

    // What was taken and not recorded comes again, by the same ids.
    let server = Killed::start(&dir.0, address);
    server.publish("four");
    let again = receive(&listener, "four");
    assert!(
        again
            .iter()
            .all(|(id, text)| text == "four" || received.contains(&(id.clone(), text.clone())))
    );
    assert!(again.len() <= 2 + 1, "{again:?}");
    drop(server);
}
