//! The admin side, as an operator's tools ask it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use tickwire_server::{Server, ServerConfig};
use tickwire_shared::control::{CloseCode, ServerFrame};

use crate::client::{Client, Over};
use crate::game::Dots;
use crate::harness::Running;
use crate::identity::enter;
use crate::profiles::Named;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A server with an admin side; accounts are whom their tokens name.
async fn start() -> (Running, tempfile::TempDir) {
    start_with(|_, _| {}).await
}

/// The same with settings modified by `change`, which may use the folder.
async fn start_with(change: impl FnOnce(&mut ServerConfig, &Path)) -> (Running, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let token_file = dir.path().join("admin.token");
    std::fs::write(&token_file, TOKEN).unwrap();
    let server = Running::start_asking(Named, |config| {
        config.admin.listen = Some("127.0.0.1:0".parse().unwrap());
        config.admin.token_file = Some(token_file);
        change(config, dir.path());
    })
    .await;
    (server, dir)
}

/// Status and body of an answer of the admin side, to a request with `body` where there is one.
async fn ask(server: &Running, line: &str, body: Option<&Value>) -> (u16, String) {
    let body = body.map(Value::to_string).unwrap_or_default();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {TOKEN}"
    );
    let rest = format!("content-type: application/json\r\ncontent-length: {}", body.len());
    let request = format!("{head}\r\n{rest}\r\n\r\n{body}");
    let (status, _, body) = Running::request_at(server.admin.unwrap(), &request).await;
    (status, body)
}

async fn get(server: &Running, path: &str) -> Value {
    let (status, body) = ask(server, &format!("GET {path}"), None).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

async fn post(server: &Running, path: &str, body: Value) -> (u16, String) {
    let (status, text) = ask(server, &format!("POST {path}"), Some(&body)).await;
    let code = serde_json::from_str::<Value>(&text).ok();
    (status, code.and_then(|it| it["code"].as_str().map(str::to_owned)).unwrap_or_default())
}

async fn notice(client: &mut Client) -> String {
    let heard = client.hear_until(|frame| match frame {
        ServerFrame::Notice(text) => Some(text),
        _ => None,
    });
    heard.await
}

#[tokio::test]
async fn rooms_and_players_are_listed_and_players_are_told_and_kicked() {
    let (server, _dir) = start().await;
    let mut ann = enter(&server, Over::Quic, "ann").await;
    ann.join("bay", "Ann").await;
    let mut bob = enter(&server, Over::WebSocket, "bob").await;
    bob.join("cove", "Bob").await;
    let mut cid = enter(&server, Over::WebTransport, "cid").await;
    cid.join("cove", "Cid").await;
    let whole = loop {
        // A room's numbers are those of its last tick.
        let whole = get(&server, "/v1/server").await;
        if whole["players"] == 3 {
            break whole;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    assert_eq!(
        (&whole["phase"], &whole["rooms"], &whole["sessions"]),
        (&json!("ready"), &json!(2), &json!(3))
    );
    let names = |page: &Value| {
        let rooms = page["rooms"].as_array().unwrap();
        rooms.iter().map(|room| room["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&get(&server, "/v1/rooms").await), ["bay", "cove"]);
    assert_eq!(names(&get(&server, "/v1/rooms?order=players").await), ["cove", "bay"]);
    let part = get(&server, "/v1/rooms?limit=1&offset=1").await;
    assert_eq!((names(&part), &part["found"]), (vec!["cove".to_owned()], &json!(2)));
    assert_eq!(names(&get(&server, "/v1/rooms?name=ov").await), ["cove"]);
    assert_eq!(get(&server, "/v1/rooms/cove").await["players"], 2);
    let players = get(&server, "/v1/players?room=cove&name=BO").await;
    let [player] = players["players"].as_array().unwrap().as_slice() else { panic!("{players}") };
    assert_eq!((&player["account"], &player["transport"]), (&json!("bob"), &json!("websocket")));
    assert!(player["address"].as_str().unwrap().contains("]:"), "{player}");
    let number = player["player"].as_u64().unwrap();
    assert_eq!(
        post(&server, &format!("/v1/players/{number}/message"), json!({"text": "stop that"}))
            .await
            .0,
        204
    );
    assert_eq!(notice(&mut bob).await, "stop that");
    assert_eq!(
        post(&server, "/v1/notices", json!({"text": "to the cove", "room": "cove"})).await.0,
        204
    );
    assert_eq!(notice(&mut cid).await, "to the cove");
    assert_eq!(post(&server, "/v1/notices", json!({"text": "to all"})).await.0, 204);
    assert_eq!(
        (notice(&mut ann).await, notice(&mut cid).await),
        ("to all".to_owned(), "to all".to_owned())
    );
    assert_eq!(
        post(&server, &format!("/v1/players/{number}/kick"), json!({"reason": "you did not stop"}))
            .await
            .0,
        204
    );
    assert_eq!(bob.goodbye().await, (CloseCode::Kicked, "you did not stop".to_owned()));
    let after = post(&server, &format!("/v1/players/{number}/kick"), json!({"reason": ""})).await;
    assert_eq!(after, (404, "NoSuchPlayer".to_owned()));
}

#[tokio::test]
async fn nobody_without_the_token_learns_anything_and_what_is_wrong_is_said() {
    let (server, _dir) = start().await;
    let admin = server.admin.unwrap();
    for path in ["/v1/server", "/v1/openapi.json", "/metrics", "/nothing"] {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let (status, head, body) = Running::request_at(admin, &request).await;
        assert_eq!(status, 401, "{path}");
        assert!(
            head.contains("www-authenticate: bearer") && body.contains("TokenMissing"),
            "{head} {body}"
        );
    }
    let (status, ..) = server.get("/v1/server").await;
    assert_eq!(status, 404, "it is not on the players' side");
    let long = json!({"text": "x".repeat(1001)});
    for (path, body, status, code) in [
        ("/v1/notices", json!({"text": ""}), 400, "RequestInvalid"),
        ("/v1/notices", long, 400, "RequestInvalid"),
        ("/v1/notices", json!({"txt": "x"}), 422, "RequestInvalid"),
        ("/v1/notices", json!({"text": "x", "room": "creek"}), 404, "NoSuchRoom"),
        ("/v1/notices", json!({"text": "x".repeat(20_000)}), 413, "RequestInvalid"),
        ("/v1/players/77/message", json!({"text": "x"}), 404, "NoSuchPlayer"),
        ("/v1/nothing", json!({}), 404, "NoSuchRoute"),
    ] {
        assert_eq!(post(&server, path, body).await, (status, code.to_owned()), "{path}");
    }
    for query in ["limit=0", "limit=1001", "limit=x", "order=size", "colour=red"] {
        let (status, body) = ask(&server, &format!("GET /v1/rooms?{query}"), None).await;
        assert_eq!(status, 400, "{query}");
        assert!(body.contains("RequestInvalid"), "{body}");
    }
}

#[tokio::test]
async fn metrics_count_and_settings_are_those_in_force() {
    let (server, _dir) = start().await;
    let of = |text: &str, sample: &str| {
        let line = text.lines().find(|line| line.starts_with(sample));
        let line = line.unwrap_or_else(|| panic!("{sample} is not in {text}"));
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    let (_, before) = ask(&server, "GET /metrics", None).await;
    assert_eq!(of(&before, "tickwire_sessions "), 0.0);
    let mut ann = enter(&server, Over::Quic, "ann").await;
    ann.join("bay", "Ann").await;
    server.until_stats("ticks", |ticks| ticks > 5).await;
    let (status, text) = ask(&server, "GET /metrics", None).await;
    assert_eq!(status, 200);
    assert_eq!(of(&text, "tickwire_sessions "), 1.0);
    assert_eq!(of(&text, "tickwire_session_events_total{event=\"started\"}"), 1.0);
    let ticks = of(&text, "tickwire_tick_duration_seconds_count");
    assert!(ticks > 5.0);
    assert_eq!(of(&text, "tickwire_tick_duration_seconds_bucket{le=\"+Inf\"}"), ticks);
    assert!(of(&text, "tickwire_thread_cpu_seconds_total{thread=\"net\"}") >= 0.0);
    assert!(text.ends_with("# EOF\n"));
    let settings = get(&server, "/v1/settings").await;
    let setting = |key: &str| {
        settings.as_array().unwrap().iter().find(|it| it["key"] == key).unwrap().clone()
    };
    assert_eq!(setting("admin.listen")["value"], "127.0.0.1:0");
    assert_eq!(
        setting("room.players_max"),
        json!({"key": "room.players_max", "value": "1000", "default": "1000", "is_default": true})
    );
}

#[tokio::test]
async fn an_address_that_another_server_has_is_refused() {
    let (server, dir) = start().await;
    let mut config = ServerConfig {
        listen: "[::1]:0".parse().unwrap(),
        certs_dir: dir.path().join("certs"),
        ..ServerConfig::default()
    };
    config.admin.listen = server.admin;
    config.admin.token_file = Some(dir.path().join("admin.token"));
    let error = Server::<Dots>::bind(config).await.err().unwrap().to_string();
    assert!(error.contains("admin-listen"), "{error}");
}

/// The words of `text` that begin as names of metrics do.
fn metric_names(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let named = words.filter(|word| word.starts_with("tickwire_") || word.starts_with("process_"));
    named.map(str::to_owned).collect()
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_ask_for_nothing_but_what_is_exported() {
    let (server, _dir) = start_with(|config, dir| {
        config.store = Some(dir.join("store"));
        config.journal = Some(dir.join("journals"));
    })
    .await;
    let (_, text) = ask(&server, "GET /metrics", None).await;
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let exported: BTreeSet<String> =
        samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect();
    assert!(exported.len() > 50, "{exported:?}");
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .find(|it| it.join("docs/monitoring").is_dir());
    let dir = dir.unwrap().join("docs/monitoring");
    for (file, least) in [("dashboard.json", 40), ("alerts.yml", 14)] {
        let names = metric_names(&std::fs::read_to_string(dir.join(file)).unwrap());
        let unknown: Vec<_> = names.difference(&exported).collect();
        assert!(unknown.is_empty(), "{file} asks for {unknown:?}, which is not exported");
        assert!(names.len() >= least, "{file} has {} names", names.len());
    }
    // A fixed number of lines, whoever plays: labels have no words of peers.
    let count =
        |text: &str| text.lines().filter(|line| !line.contains("tickwire_thread_cpu")).count();
    for name in ["ann", "bob", "cid"] {
        enter(&server, Over::Quic, name).await.join(name, name).await;
    }
    let (_, with_players) = ask(&server, "GET /metrics", None).await;
    assert_eq!(count(&with_players), count(&text));
}
