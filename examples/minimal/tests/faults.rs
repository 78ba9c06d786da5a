//! A server whose system fails it, and one that is flooded: what the process does, and what it logs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

/// Makes `recvmmsg` fail with the number in the file `FAULT`, so often as the number behind it says.
const FAULTY_RECEIVE: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *time) {
    static int number, left;
    const char *path = getenv("FAULT");
    FILE *file = left ? NULL : fopen(path, "r");
    if (file) {
        if (fscanf(file, "%d %d", &number, &left) != 2) left = 0;
        fclose(file);
        unlink(path);
    }
    if (left > 0) {
        left--;
        errno = number;
        return -1;
    }
    return syscall(SYS_recvmmsg, fd, messages, count, flags, time);
}
"#;

/// Puts the wall clock 30 million years ahead while the file `FAULT` exists. No calendar reaches as far.
const FAULTY_CLOCK: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (clock == CLOCK_REALTIME && access(getenv("FAULT"), F_OK) == 0) time->tv_sec += 1000000000000000;
    return result;
}
"#;

/// A server as a process of its own.
struct Process {
    child: Child,
    stderr: BufReader<ChildStderr>,
    port: u16,
    dir: PathBuf,
}

impl Process {
    /// With a library that makes calls of the system fail, if a source of one is given.
    fn start(name: &str, fault: Option<&str>) -> Process {
        let dir = std::env::temp_dir().join(format!("tickwire-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tickwire-minimal"));
        command.args(["--listen", "[::1]:0", "--certs-dir"]).arg(dir.join("certs"));
        if let Some(source) = fault {
            command.env("LD_PRELOAD", library(&dir, source)).env("FAULT", dir.join("fault"));
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (_, after) = line.split_once("http=http://[::1]:").expect(&line);
        let port = after.trim_end().trim_end_matches('/').parse().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Process { child, stderr, port, dir }
    }

    /// Begins the fault of its library.
    fn begin_fault(&self, text: &str) {
        let written = self.dir.join("written");
        std::fs::write(&written, text).unwrap();
        std::fs::rename(written, self.dir.join("fault")).unwrap();
    }

    /// Lets the next `times` calls for packets fail with an error number.
    fn fail(&self, number: i32, times: u32) {
        self.begin_fault(&format!("{number} {times}"));
        // A packet has it ask for packets.
        let socket = UdpSocket::bind("[::1]:0").unwrap();
        socket.send_to(b"\x40", ("::1", self.port)).unwrap();
    }

    fn stat(&self, name: &str) -> u64 {
        let mut stream = TcpStream::connect(("::1", self.port)).unwrap();
        let request = "GET /stats.json HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").expect(&answer);
        let stats: serde_json::Value = serde_json::from_str(body).unwrap();
        stats[name].as_u64().unwrap()
    }

    fn until_stat(&self, name: &str, wanted: impl Fn(u64) -> bool) {
        for _ in 0..1000 {
            if wanted(self.stat(name)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{name} is {}", self.stat(name));
    }

    /// Asks it to stop. Its exit code, and what it logged.
    fn stop(self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.end()
    }

    /// Waits for its end. Its exit code, and what it logged.
    fn end(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.stderr.read_to_string(&mut log).unwrap();
        let code = self.child.wait().unwrap().code();
        std::fs::remove_dir_all(&self.dir).unwrap();
        (code, log)
    }
}

/// A library of this source, made by the C compiler.
fn library(dir: &Path, text: &str) -> PathBuf {
    let (source, library) = (dir.join("faulty.c"), dir.join("faulty.so"));
    std::fs::write(&source, text).unwrap();
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    assert!(compile.status().unwrap().success());
    library
}

/// First packets of QUIC from outside, each of another connection, that hold nothing. One in four
/// gets as far as to fail.
fn knock(server: &Process, count: u32) {
    let socket = UdpSocket::bind("[::1]:0").unwrap();
    socket.connect(("::1", server.port)).unwrap();
    for number in 0..count {
        let mut packet = vec![0xc3, 0, 0, 0, 1, 8];
        packet.extend([[7; 4], number.to_be_bytes()].concat());
        packet.extend([0, 0, 0x44, 0x96]);
        packet.resize(1200, 7);
        socket.send(&packet).unwrap();
        if number % 20 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_shortage_of_the_system_passes_and_packets_come_in_after_it() {
    const ENOMEM: i32 = 12;
    let server = Process::start("shortage", Some(FAULTY_RECEIVE));
    server.fail(ENOMEM, 3);
    server.until_stat("udp_receive_failures", |count| count == 3);
    knock(&server, 40);
    server.until_stat("handshakes_failed", |count| count > 0);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("the system gave no packets"), "{log}");
}

#[test]
fn a_dead_network_thread_ends_the_process_with_a_code_and_a_word() {
    const EBADF: i32 = 9;
    let server = Process::start("dead", Some(FAULTY_RECEIVE));
    server.fail(EBADF, 1);
    let (code, log) = server.end();
    assert_eq!(code, Some(3), "{log}");
    assert!(log.contains("the network thread died"), "{log}");
}

#[test]
fn a_dead_task_of_the_server_ends_the_process_with_a_code_and_a_word() {
    let server = Process::start("task", Some(FAULTY_CLOCK));
    // The task that looks after the certificates has no date for such a time, and panics.
    server.begin_fault("");
    let (code, log) = server.end();
    assert_eq!(code, Some(3), "{log}");
    assert!(log.contains("a task of the server died"), "{log}");
}

#[test]
fn a_flood_of_garbage_writes_few_lines() {
    let server = Process::start("flood", None);
    knock(&server, 2000);
    server.until_stat("handshakes_failed", |count| count > 50);
    server.until_stat("handshakes_retried", |count| count > 0);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.lines().count() < 30, "{log}");
}
