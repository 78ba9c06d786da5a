//! TLS for the UDP and the TCP side of the port.

use std::sync::Arc;

use tickwire_certs::Certificate;

/// A TLS server that serves `certificate` and speaks the protocols `alpn`.
///
/// # Errors
/// If the key does not belong to the certificate.
pub(crate) fn tls_config(
    certificate: &Certificate,
    alpn: &[&[u8]],
) -> Result<rustls::ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificate.chain.clone(), certificate.key.clone_key())?;
    tls.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    // Early data can be replayed, and saves nothing worth that here.
    tls.max_early_data_size = 0;
    Ok(tls)
}
