//! The HTTP side of the port.

use serde_json::Value;
use tickwire_shared::simulation::schema_of;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::Over;
use crate::game::{Dots, Keys};
use crate::harness::Running;

#[tokio::test]
async fn it_has_the_same_number_as_the_udp_port() {
    let server = Running::start().await;
    assert_eq!(server.udp.port(), server.http.port());
}

#[tokio::test]
async fn the_hashes_are_those_of_the_certificates() {
    let server = Running::start().await;
    let (status, head, body) = server.get("/certificate.json").await;
    assert_eq!(status, 200);
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    let body: Value = serde_json::from_str(&body).unwrap();
    let store = tickwire_certs::Store::open(&server.certs_dir(), OffsetDateTime::now_utc());
    let store = store.unwrap();
    for (at, certificate) in [store.current(), store.next()].into_iter().enumerate() {
        assert_eq!(body["hashes"][at]["algorithm"], "sha-256");
        assert_eq!(body["hashes"][at]["value"], certificate.sha256_base64());
    }
}

#[tokio::test]
async fn the_schema_is_told_to_any_page() {
    let server = Running::start().await;
    let (status, head, body) = server.get("/schema.json").await;
    assert_eq!(status, 200);
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    let told: Value = serde_json::from_str(&body).unwrap();
    let schema = schema_of::<Dots>();
    assert_eq!((&told["game"], &told["tickHz"]), (&schema.game.into(), &schema.tick_hz.into()));
    let names = |kind: &Value| -> Vec<String> {
        let fields = kind["fields"].as_array().unwrap().iter();
        fields.map(|field| field["name"].as_str().unwrap().to_owned()).collect()
    };
    let fields = schema.input.fields.iter().map(|field| field.name.clone());
    assert_eq!(names(&told["input"]), fields.collect::<Vec<_>>());
    for (told, kind) in told["entities"].as_array().unwrap().iter().zip(&schema.entities) {
        assert_eq!(told["name"], kind.name.as_str());
        assert_eq!(names(told).len(), kind.fields.len());
    }
}

#[tokio::test]
async fn health_is_asked_for_by_path() {
    let server = Running::start().await;
    assert_eq!(server.get("/healthz").await.0, 200);
    assert_eq!(server.get("/readyz").await.0, 200);
    let (status, _, body) = server.get("/").await;
    assert_eq!(status, 404);
    assert!(body.contains("--page-dir"), "{body}");
}

#[tokio::test]
async fn a_page_is_served_from_its_directory_and_nothing_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("page");
    std::fs::create_dir(&page).unwrap();
    std::fs::write(page.join("index.html"), "<h1>game</h1>").unwrap();
    std::fs::write(page.join("game.js"), "play()").unwrap();
    std::fs::write(dir.path().join("secret"), "secret").unwrap();
    let server = Running::start_with(|config| config.page_dir = Some(page)).await;
    let (status, head, body) = server.get("/").await;
    assert_eq!((status, body.as_str()), (200, "<h1>game</h1>"));
    assert!(head.contains("content-type: text/html"), "{head}");
    assert!(head.contains("x-content-type-options: nosniff"), "{head}");
    let (_, head, body) = server.get("/game.js").await;
    assert_eq!(body, "play()");
    assert!(head.contains("javascript"), "{head}");
    for path in ["/../secret", "/%2e%2e/secret", "/..%2fsecret", "//secret"] {
        let (status, _, body) = server.get(path).await;
        assert!(status >= 400 && !body.contains("secret"), "{path}: {status} {body}");
    }
}

#[tokio::test]
async fn the_counts_tell_how_the_server_is_doing() {
    let server = Running::start().await;
    let mut player = server.player(Over::Quic, "counted", "one").await;
    for _ in 0..30 {
        player.play(Keys::default()).await;
    }
    server.until_stats("ticks", |count| count >= 20).await;
    server.until_stats("datagrams_in", |count| count >= 25).await;
    let stats = server.stats().await;
    for (name, expected) in [("rooms", 1), ("players", 1), ("sessions", 1), ("tick_hz", 60)] {
        assert_eq!(stats[name], expected, "{name}");
    }
    assert!(stats["datagrams_out"].as_u64().unwrap() >= 25);
    let lateness = &stats["lateness_us"];
    assert!(lateness["p50"].as_u64() <= lateness["p99"].as_u64());
    assert!(lateness["p99"].as_u64() <= lateness["max"].as_u64());
    drop(player);
    server.until_stats("sessions", |count| count == 0).await;
    let reset = "POST /stats/reset HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
    assert_eq!(server.request(reset).await.0, 204);
    let stats = server.stats().await;
    assert_eq!(stats["datagrams_in"], 0);
    assert!(stats["ticks"].as_u64().unwrap() < 20);
}

#[tokio::test]
async fn the_counts_are_not_for_web_pages() {
    let server = Running::start().await;
    for header in ["host: rebound.example", "host: localhost\r\norigin: https://evil.example"] {
        for line in ["GET /stats.json", "POST /stats/reset"] {
            let text = format!("{line} HTTP/1.1\r\n{header}\r\nconnection: close\r\n\r\n");
            assert_eq!(server.request(&text).await.0, 403, "{text}");
        }
    }
}

#[tokio::test]
async fn the_counts_are_not_for_whom_a_proxy_asks_for() {
    let server = Running::start().await;
    for header in ["x-forwarded-for: 192.0.2.1", "Forwarded: for=192.0.2.1", "via: 1.1 a"] {
        for line in ["GET /stats.json", "POST /stats/reset"] {
            let lines = format!("host: localhost\r\n{header}\r\nconnection: close");
            let text = format!("{line} HTTP/1.1\r\n{lines}\r\n\r\n");
            assert_eq!(server.request(&text).await.0, 403, "{text}");
        }
    }
    let old = "GET /stats.json HTTP/1.0\r\nhost: localhost\r\n\r\n";
    assert_eq!(server.request(old).await.0, 403);
    // A proxy that sends no header looks like a program on this machine.
    let server = Running::start_with(|config| config.stats = false).await;
    assert_eq!(server.get("/stats.json").await.0, 404);
}

#[tokio::test]
async fn with_a_certificate_from_files_it_speaks_tls() {
    let (_server, mut stream) = Running::start_tls().await;
    let request = "GET /certificate.json HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with(r#"{"hashes":[]}"#), "{answer}");
}
