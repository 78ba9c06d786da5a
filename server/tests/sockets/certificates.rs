//! The certificate changes while the server runs, without affecting connections.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use crate::client::{Client, Connection, Over, connect_web};
use crate::game::Keys;
use crate::harness::{Running, soon};

fn write(dir: &Path) -> [u8; 32] {
    let made = tickwire_certs::generate(&[], OffsetDateTime::now_utc()).unwrap();
    std::fs::write(dir.join("key.pem"), made.key_pem()).unwrap();
    std::fs::write(dir.join("cert.pem"), made.chain_pem()).unwrap();
    made.sha256
}

/// Connects with trust in `hash` only; `None` if the server shows another certificate.
async fn connect(server: &mut Running, hash: [u8; 32]) -> Option<Client> {
    server.hashes = vec![hash];
    let web = connect_web(server, None).await.ok()?;
    Some(Client::on(Connection::WebTransport(web)))
}

#[tokio::test]
async fn new_files_are_shown_to_new_connections_only() {
    let dir = tempfile::tempdir().unwrap();
    let first = write(dir.path());
    let path = dir.path().to_path_buf();
    let mut server = Running::start_with(|config| {
        config.cert_file = Some(path.join("cert.pem"));
        config.key_file = Some(path.join("key.pem"));
        config.certs_check_s = 1;
        config.http = true;
    })
    .await;
    let mut old = connect(&mut server, first).await.expect("the first certificate is shown");
    old.greet().await;
    old.join("rotation", "old").await;
    let second = write(dir.path());
    let mut new = None;
    soon("the second certificate", async {
        while new.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            new = connect(&mut server, second).await;
        }
    })
    .await;
    assert!(connect(&mut server, first).await.is_none(), "the first certificate is still shown");
    let mut new = new.unwrap();
    new.greet().await;
    new.join("rotation", "new").await;
    for client in [&mut old, &mut new] {
        client.play(Keys::default()).await;
    }
}

#[tokio::test]
async fn the_development_certificate_is_kept_between_starts() {
    let mut server = Running::start().await;
    let dir = server.certs_dir();
    let hashes = server.hashes.clone();
    assert_eq!(hashes.len(), 2);
    let client = server.greeted(Over::WebTransport).await;
    let Connection::WebTransport(web) = &client.connection else { unreachable!() };
    let shown: Vec<CertificateDer> =
        web.quic_connection().peer_identity().unwrap().downcast().map(|chain| *chain).unwrap();
    let store = tickwire_certs::Store::open(&dir, OffsetDateTime::now_utc()).unwrap();
    assert_eq!(shown, store.current().chain);
    server.ask_to_stop();
    let kept = Running::start_with(|config| config.certs_dir = dir).await;
    assert_eq!(kept.hashes, hashes);
}
