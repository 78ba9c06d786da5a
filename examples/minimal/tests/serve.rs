//! The binary as `cargo run -p tickwire-minimal` starts it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

#[test]
fn it_says_where_it_listens_is_healthy_and_stops_when_asked() {
    let certs = std::env::temp_dir().join(format!("tickwire-serve-{}", std::process::id()));
    let mut server = Command::new(env!("CARGO_BIN_EXE_tickwire-minimal"))
        .args(["--listen", "[::1]:0", "--certs-dir"])
        .arg(&certs)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let (_, after) = line.split_once("http=http://[::1]:").expect(&line);
    let port: u16 = after.trim_end().trim_end_matches('/').parse().unwrap();

    let mut health = TcpStream::connect(("::1", port)).unwrap();
    write!(health, "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    health.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let pid = server.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(server.wait().unwrap().success());
    std::fs::remove_dir_all(certs).unwrap();
}
