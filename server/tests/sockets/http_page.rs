//! Serving the game's page: its sources, encodings and headers.

use std::borrow::Cow;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tickwire_server::{Asset, Server, ServerConfig};

use crate::game::Dots;
use crate::harness::Running;

/// A page in a directory, and files beside it.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("page");
    for folder in ["page/assets", "page/.git", "page/.well-known", "page/docs"] {
        std::fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    for (name, text) in [
        ("index.html", "<h1>game</h1>"),
        ("docs/index.html", "docs"),
        ("assets/game-Ck3_x9Qa.js", "play()"),
        ("assets/game-Ck3_x9Qa.js.br", "by brotli"),
        ("assets/game-Ck3_x9Qa.js.gz", "by gzip"),
        ("assets/plain.css", "0123456789"),
        (".env", "secret"),
        (".git/config", "secret"),
        (".well-known/token", "known"),
        ("../beside", "secret"),
    ] {
        std::fs::write(page.join(name), text).unwrap();
    }
    symlink("index.html", page.join("inside.html")).unwrap();
    symlink(".env", page.join("hidden.txt")).unwrap();
    symlink("../beside", page.join("outside.txt")).unwrap();
    symlink(dir.path(), page.join("up")).unwrap();
    dir
}

async fn serve(dir: &Path) -> Running {
    let page = dir.join("page");
    Running::start_with(|config| config.page_dir = Some(page)).await
}

/// The same page from a binary.
fn held(path: &str) -> Option<Asset> {
    let text = match path {
        "index.html" => "<h1>game</h1>",
        "assets/game-Ck3_x9Qa.js" => "play()",
        "assets/game-Ck3_x9Qa.js.br" => "by brotli",
        "assets/game-Ck3_x9Qa.js.gz" => "by gzip",
        "assets/plain.css" => "0123456789",
        _ => return None,
    };
    let modified = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    Some(Asset { bytes: Cow::Borrowed(text.as_bytes()), modified })
}

async fn get_with(server: &Running, path: &str, lines: &str) -> (u16, String, String) {
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    server.request(&format!("{head}{lines}\r\n")).await
}

/// The value of a header, empty without it.
fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_default()
}

#[tokio::test]
async fn a_folder_and_a_binary_serve_alike() {
    let dir = folder();
    for server in [serve(dir.path()).await, Running::start_page(held).await] {
        let (status, head, body) = server.get("/").await;
        assert_eq!((status, body.as_str()), (200, "<h1>game</h1>"));
        assert_eq!(header(&head, "content-type"), "text/html; charset=utf-8");
        assert_eq!(header(&head, "cache-control"), "no-cache");
        assert!(header(&head, "vary").contains("accept-encoding"), "{head}");

        // A client that has it already gets no body.
        let etag = header(&head, "etag").to_owned();
        assert!(etag.starts_with('"'), "{head}");
        let (status, head, body) =
            get_with(&server, "/", &format!("if-none-match: {etag}\r\n")).await;
        assert_eq!((status, body.as_str(), header(&head, "etag")), (304, "", etag.as_str()));
        let (status, ..) = get_with(&server, "/", "if-none-match: \"another\"\r\n").await;
        assert_eq!(status, 200);

        // A file named by its content may be kept, in any encoding.
        let path = "/assets/game-Ck3_x9Qa.js";
        for (accepted, encoding, text) in [
            ("gzip, br", "br", "by brotli"),
            ("gzip", "gzip", "by gzip"),
            ("identity", "", "play()"),
        ] {
            let lines = format!("accept-encoding: {accepted}\r\n");
            let (status, head, body) = get_with(&server, path, &lines).await;
            assert_eq!((status, body.as_str()), (200, text));
            assert_eq!(header(&head, "content-encoding"), encoding);
            assert!(header(&head, "content-type").contains("javascript"), "{head}");
            assert!(header(&head, "cache-control").contains("immutable"), "{head}");
        }
        let (status, head, _) = server.get("/assets/gone-Ck3_x9Qa.js").await;
        assert_eq!((status, header(&head, "cache-control")), (404, "no-cache"));

        // Sends parts of a file, but no part of one that may have changed.
        let path = "/assets/plain.css";
        let (status, head, body) = get_with(&server, path, "range: bytes=2-4\r\n").await;
        assert_eq!((status, body.as_str()), (206, "234"));
        assert_eq!(header(&head, "content-range"), "bytes 2-4/10");
        let (status, ..) = get_with(&server, path, "range: bytes=20-\r\n").await;
        assert_eq!(status, 416);
        let lines = "range: bytes=2-4\r\nif-range: \"another\"\r\n";
        assert_eq!(get_with(&server, path, lines).await.2, "0123456789");

        let post = "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        assert_eq!(server.request(post).await.0, 405);
    }
}

#[tokio::test]
async fn no_link_leads_out_of_the_folder_and_nothing_hidden_is_served() {
    let dir = folder();
    let server = serve(dir.path()).await;
    for (path, text) in
        [("/inside.html", "<h1>game</h1>"), ("/docs/", "docs"), ("/.well-known/token", "known")]
    {
        assert_eq!(server.get(path).await.2, text, "{path}");
    }
    for path in [
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/assets/../.env",
        "/hidden.txt",
        "/outside.txt",
        "/up/beside",
        "/up/",
        "/up",
    ] {
        let (status, _, body) = server.get(path).await;
        assert_eq!((status, body.as_str()), (404, "no such page\n"), "{path}");
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_told_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("index.html");
    std::fs::write(&file, "").unwrap();
    for wrong in [dir.path().join("none"), file] {
        let config = ServerConfig {
            listen: "[::1]:0".parse().unwrap(),
            certs_dir: dir.path().join("certs"),
            page_dir: Some(wrong.clone()),
            ..ServerConfig::default()
        };
        let Err(error) = Server::<Dots>::bind(config).await else { panic!("{wrong:?} was taken") };
        let text = error.to_string();
        assert!(text.contains("page_dir") && text.contains(wrong.to_str().unwrap()), "{text}");
    }
}

#[tokio::test]
async fn without_a_page_a_browser_is_told_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("page")).unwrap();
    let none = |_: &str| None;
    for server in [Running::start().await, serve(dir.path()).await, Running::start_page(none).await]
    {
        let (status, head, body) = server.get("/").await;
        assert_eq!(status, 404);
        assert!(body.contains("--page-dir") && body.contains("web/dist"), "{body}");
        assert!(header(&head, "content-type").starts_with("text/plain"), "{head}");
        assert_eq!(server.get("/other").await.2, "no such page\n");
    }
}

#[tokio::test]
async fn every_answer_says_what_browsers_may_do_with_it() {
    let server = Running::start_with(|config| config.http_connections_max = 1).await;
    let stranger = "GET /stats.json HTTP/1.1\r\nhost: rebound.example\r\nconnection: close\r\n\r\n";
    for (answer, status) in [
        (server.get("/").await, 404),
        (server.get("/healthz").await, 200),
        (server.get("/schema.json").await, 200),
        (server.get("/certificate.json").await, 200),
        (server.get("/ws").await, 426),
        (server.request(stranger).await, 403),
        (server.request("GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await, 400),
        (
            server.request("PUT /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await,
            405,
        ),
    ] {
        let head = answer.1;
        assert_eq!(answer.0, status, "{head}");
        let policy = header(&head, "content-security-policy");
        for part in ["default-src 'self'", "'wasm-unsafe-eval'", "frame-ancestors 'self'"] {
            assert!(policy.contains(part), "{head}");
        }
        assert!(!policy.contains("'unsafe-eval'"), "{head}");
        assert_eq!(header(&head, "x-content-type-options"), "nosniff", "{head}");
        assert_eq!(header(&head, "referrer-policy"), "same-origin", "{head}");
        assert_eq!(header(&head, "cross-origin-resource-policy"), "same-origin", "{head}");
    }
}

#[tokio::test]
async fn a_request_names_one_host() {
    let server = Running::start().await;
    for (head, status) in [
        ("GET /healthz HTTP/1.1\r\nhost: a\r\n", 200),
        ("GET /healthz HTTP/1.1\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\nhost: a\r\n", 400),
        ("GET /healthz HTTP/1.0\r\n", 200),
        ("GET /healthz HTTP/1.0\r\nhost: a\r\nhost: b\r\n", 400),
    ] {
        let answer = server.request(&format!("{head}connection: close\r\n\r\n")).await;
        assert_eq!(answer.0, status, "{head}");
    }
}
