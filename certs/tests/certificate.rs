//! One certificate: its hash, its kind, and valid or invalid PEM files.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use tickwire_certs::{Certificate, CertsError, generate, load_pem};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::days(20_600));

fn made() -> Certificate {
    generate(&["game.example".to_owned()], START).unwrap()
}

fn files(dir: &TempDir, cert: &str, key: &str) -> (PathBuf, PathBuf) {
    let paths = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    fs::write(&paths.0, cert).unwrap();
    fs::write(&paths.1, key).unwrap();
    paths
}

#[test]
fn the_hash_is_sha256_of_the_der_in_every_form() {
    let certificate = made();
    let digest = ring::digest::digest(&ring::digest::SHA256, &certificate.chain[0]);
    assert_eq!(certificate.sha256, digest.as_ref());
    let hex = certificate.sha256_hex();
    assert_eq!((hex.len(), hex.to_lowercase()), (64, hex.clone()));
    for (at, byte) in certificate.sha256.iter().enumerate() {
        assert_eq!(u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap(), *byte);
    }
    let colons = certificate.sha256_colon_hex();
    assert_eq!((colons.len(), colons.replace(':', "").to_lowercase()), (95, hex));
    let base64 = certificate.sha256_base64();
    assert_eq!((base64.len(), base64.ends_with('=')), (44, true));
}

#[test]
fn the_key_is_ecdsa_on_p256_and_the_names_stand_in_it() {
    let certificate = made();
    let (_, parsed) = X509Certificate::from_der(&certificate.chain[0]).unwrap();
    let algorithm = &parsed.public_key().algorithm;
    assert_eq!(algorithm.algorithm.to_id_string(), "1.2.840.10045.2.1");
    let curve = algorithm.parameters.as_ref().unwrap().as_oid().unwrap();
    assert_eq!(curve.to_id_string(), "1.2.840.10045.3.1.7");
    let names = parsed.subject_alternative_name().unwrap().unwrap();
    let mut loopback6 = [0; 16];
    loopback6[15] = 1;
    let expected = [
        GeneralName::DNSName("localhost"),
        GeneralName::IPAddress(&[127, 0, 0, 1]),
        GeneralName::IPAddress(&loopback6),
        GeneralName::DNSName("game.example"),
    ];
    assert_eq!(names.value.general_names, expected);
}

#[test]
fn pem_files_give_back_the_same_certificate() {
    let dir = TempDir::new().unwrap();
    let certificate = made();
    let (cert, key) = files(&dir, &certificate.chain_pem(), &certificate.key_pem());
    let loaded = load_pem(&cert, &key).unwrap();
    assert_eq!(loaded.sha256, certificate.sha256);
    assert_eq!(loaded.chain, certificate.chain);
    assert_eq!(loaded.key.secret_der(), certificate.key.secret_der());
    assert_eq!(loaded.not_after, certificate.not_after);
}

#[test]
fn a_chain_keeps_its_order() {
    let dir = TempDir::new().unwrap();
    let (first, second) = (made(), made());
    let chain = first.chain_pem() + &second.chain_pem();
    let (cert, key) = files(&dir, &chain, &first.key_pem());
    let loaded = load_pem(&cert, &key).unwrap();
    assert_eq!(loaded.chain, [first.chain[0].clone(), second.chain[0].clone()]);
    assert_eq!(loaded.sha256, first.sha256);
}

#[test]
fn wrong_files_are_named_with_what_to_do() {
    let (one, other) = (made(), made());
    let cases = [
        ("no certificate", String::new(), one.key_pem(), "cert.pem holds no certificate"),
        ("key in place of it", one.key_pem(), one.key_pem(), "cert.pem holds no certificate"),
        ("no key", one.chain_pem(), one.chain_pem(), "key.pem holds no private key"),
        ("another's key", one.chain_pem(), other.key_pem(), "is not the key of the certificate"),
        ("cut", one.chain_pem()[..200].to_owned(), one.key_pem(), "cert.pem cannot be understood"),
    ];
    for (what, cert, key, expected) in cases {
        let dir = TempDir::new().unwrap();
        let (cert, key) = files(&dir, &cert, &key);
        let error = load_pem(&cert, &key).unwrap_err().to_string();
        assert!(error.contains(expected), "{what}: {error}");
        assert!(error.contains(';'), "{what} says what to do: {error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let dir = TempDir::new().unwrap();
    let missing = dir.path().join("nowhere.pem");
    let error = load_pem(&missing, &missing).unwrap_err();
    assert!(matches!(&error, CertsError::Io { path, .. } if *path == missing));
    assert!(error.to_string().contains("nowhere.pem"));
}

#[test]
fn the_key_does_not_show_in_debug_output() {
    let certificate = made();
    let shown = format!("{certificate:?}");
    assert!(shown.contains(&certificate.sha256_hex()));
    assert!(!shown.contains("key"), "{shown}");
}
