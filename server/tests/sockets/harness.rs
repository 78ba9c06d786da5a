//! A server on free ports of the loopback interface.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tickwire_server::identity::Authenticator;
use tickwire_server::{Notices, Page, Server, ServerConfig, ServerError, ServerHandle};
use tickwire_shared::control::ServerRun;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::client::{Client, Over};
use crate::game::Dots;

/// A running server; dropping it stops it and removes its files.
pub(crate) struct Running {
    pub(crate) udp: SocketAddr,
    pub(crate) http: SocketAddr,
    /// The admin side, if there is one.
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) notices: Notices<Dots>,
    pub(crate) handle: ServerHandle<Dots>,
    pub(crate) hashes: Vec<[u8; 32]>,
    pub(crate) dir: tempfile::TempDir,
    /// The server's run, once a client that resumes was told of it.
    pub(crate) run: OnceLock<ServerRun>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServerError>>,
}

/// TLS of a server that is no tickwire server, by an authority that only its own file in `dir` names.
pub(crate) fn own_authority(dir: &Path) -> (PathBuf, TlsAcceptor) {
    let made = tickwire_certs::generate(&[], OffsetDateTime::now_utc()).unwrap();
    let ca_file = dir.join("ca.pem");
    std::fs::write(&ca_file, made.chain_pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(made.chain.clone(), made.key.clone_key())
        .unwrap();
    (ca_file, TlsAcceptor::from(Arc::new(tls)))
}

/// Longest wait: only a hang takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for `future`, but not for ever.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let timed = tokio::time::timeout(PATIENCE, future).await;
    timed.unwrap_or_else(|_| panic!("{what} did not happen"))
}

impl Running {
    pub(crate) async fn start() -> Running {
        Running::start_with(|_| {}).await
    }

    /// A server with a page in its binary.
    pub(crate) async fn start_page(page: Page) -> Running {
        Running::start_server(|_| {}, |server| server.with_page(page)).await
    }

    /// A server with settings modified by `change`.
    pub(crate) async fn start_with(change: impl FnOnce(&mut ServerConfig)) -> Running {
        Running::start_server(change, |server| server).await
    }

    /// The same, that asks `authenticator` who players are.
    pub(crate) async fn start_asking(
        authenticator: impl Authenticator,
        change: impl FnOnce(&mut ServerConfig),
    ) -> Running {
        let ask = |server: Server<Dots>| server.with_authenticator(authenticator);
        Running::start_server(change, ask).await
    }

    async fn start_server(
        change: impl FnOnce(&mut ServerConfig),
        with: impl FnOnce(Server<Dots>) -> Server<Dots>,
    ) -> Running {
        let dir = tempfile::tempdir().unwrap();
        let mut config = ServerConfig {
            listen: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            certs_dir: dir.path().join("certs"),
            ..ServerConfig::default()
        };
        change(&mut config);
        let server = Server::<Dots>::bind(config).await.unwrap();
        let server = with(server);
        let port = server.local_addr().port();
        let http = server.http_addr().map_or(0, |addr| addr.port());
        let admin = server.admin_addr();
        let (hashes, handle) = (server.certificate_hashes(), server.handle());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        Running {
            udp: SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
            http: SocketAddr::from((Ipv6Addr::LOCALHOST, http)),
            admin,
            notices: handle.notices(),
            handle,
            hashes,
            dir,
            run: OnceLock::new(),
            stop: Some(stop),
            task,
        }
    }

    /// A server with a certificate from files, and a connection to its HTTP side.
    pub(crate) async fn start_tls() -> (Running, TlsStream<TcpStream>) {
        Running::start_tls_with(|_| {}).await
    }

    /// The same, with settings modified by `change`.
    pub(crate) async fn start_tls_with(
        change: impl FnOnce(&mut ServerConfig),
    ) -> (Running, TlsStream<TcpStream>) {
        let dir = tempfile::tempdir().unwrap();
        let made = tickwire_certs::generate(&[], OffsetDateTime::now_utc()).unwrap();
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        std::fs::write(&cert, made.chain_pem()).unwrap();
        std::fs::write(&key, made.key_pem()).unwrap();
        let server = Running::start_with(|config| {
            config.cert_file = Some(cert.clone());
            config.key_file = Some(key);
            change(config);
        })
        .await;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&cert).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(server.http).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.unwrap();
        (server, stream)
    }

    /// The directory of the development certificates.
    pub(crate) fn certs_dir(&self) -> PathBuf {
        self.dir.path().join("certs")
    }

    /// A client that has not said hello yet.
    pub(crate) async fn connect(&self, over: Over) -> Client {
        Client::connect(self, over).await
    }

    /// A client that has said hello.
    pub(crate) async fn greeted(&self, over: Over) -> Client {
        let mut client = self.connect(over).await;
        client.greet().await;
        client
    }

    /// A client in `room`.
    pub(crate) async fn player(&self, over: Over, room: &str, name: &str) -> Client {
        let mut client = self.greeted(over).await;
        client.join(room, name).await;
        client
    }

    /// Asks the server to stop, without waiting for it.
    pub(crate) fn ask_to_stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits until the server has stopped without an error.
    pub(crate) async fn stopped(self) {
        self.ended().await.unwrap();
    }

    /// Waits until the server has ended, with or without an error.
    pub(crate) async fn ended(self) -> Result<(), ServerError> {
        soon("the end of the server", self.task).await.unwrap()
    }

    /// Ends the server abruptly, as a crash does. Its files stay, and its address is free.
    pub(crate) async fn killed(self) -> tempfile::TempDir {
        self.task.abort();
        soon("the end of the task", self.task).await.unwrap_err();
        let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, self.udp.port()));
        soon("the free address", async {
            while std::net::UdpSocket::bind(address).is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        self.dir
    }

    /// Status, headers and body of an HTTP answer.
    pub(crate) async fn request(&self, request: &str) -> (u16, String, String) {
        Running::request_at(self.http, request).await
    }

    /// The same of any address.
    pub(crate) async fn request_at(to: SocketAddr, request: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon("an HTTP answer", stream.read_to_string(&mut answer)).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String, String) {
        let text = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        self.request(&text).await
    }

    /// The content of `/stats.json`.
    pub(crate) async fn stats(&self) -> Value {
        let (status, _, body) = self.get("/stats.json").await;
        assert_eq!(status, 200);
        serde_json::from_str(&body).unwrap()
    }

    /// Waits until a number of `/stats.json` satisfies `wanted`.
    pub(crate) async fn until_stats(&self, name: &str, wanted: impl Fn(u64) -> bool) {
        soon(name, async {
            while !wanted(self.stats().await[name].as_u64().unwrap()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}
