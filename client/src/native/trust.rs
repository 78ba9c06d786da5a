//! Certificates that a native client accepts.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::ConnectError;

/// Certificates to accept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Any certificate on this machine's loopback; elsewhere as [`Trust::System`].
    #[default]
    Loopback,
    /// Certificates that the operating system trusts.
    System,
    /// A certificate with one of these SHA-256 hashes, as a development server publishes them.
    Hashes(Vec<[u8; 32]>),
}

/// TLS settings for a connection to `address`.
pub(super) fn client_tls(
    trust: &Trust,
    address: SocketAddr,
    alpn: &[u8],
) -> Result<ClientConfig, ConnectError> {
    let local = |error: Error| ConnectError::Local(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Hashes(hashes) => Arc::new(Pinned::new(&provider, Some(hashes.clone()))),
        Trust::Loopback if address.ip().to_canonical().is_loopback() => {
            Arc::new(Pinned::new(&provider, None))
        }
        Trust::Loopback | Trust::System => {
            Arc::new(Verifier::new(provider.clone()).map_err(local)?)
        }
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(local)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(config)
}

/// Accepts certificates by their hash, or any certificate.
#[derive(Debug)]
struct Pinned {
    provider: Arc<CryptoProvider>,
    hashes: Option<Vec<[u8; 32]>>,
}

impl Pinned {
    fn new(provider: &Arc<CryptoProvider>, hashes: Option<Vec<[u8; 32]>>) -> Self {
        Pinned { provider: provider.clone(), hashes }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let hash = ring::digest::digest(&ring::digest::SHA256, end_entity);
        let known = |hashes: &Vec<[u8; 32]>| hashes.iter().any(|known| known == hash.as_ref());
        if self.hashes.as_ref().is_none_or(known) {
            return Ok(ServerCertVerified::assertion());
        }
        let text = "the certificate's hash is none of the given ones; take the current ones from /certificate.json";
        Err(Error::General(text.to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
