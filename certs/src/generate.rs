//! Makes one development certificate that browsers accept by hash.

use std::net::IpAddr;
use std::path::Path;

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

use crate::{Certificate, CertsError};

/// The whole validity of a development certificate. Browsers refuse 14 days or more.
pub const VALIDITY_MAX: Duration = Duration::days(13);
/// Time before its first use from which a certificate is valid, for clocks that run behind.
pub const BACKDATE: Duration = Duration::hours(1);
/// The names in every development certificate.
pub const NAMES_DEFAULT: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Makes a self-signed ECDSA P-256 certificate for use from `use_from` on. It is valid from
/// [`BACKDATE`] before that, for [`VALIDITY_MAX`] in all, for [`NAMES_DEFAULT`] and `names`.
///
/// # Errors
/// [`CertsError::Name`] for a name that is neither a DNS name nor an address.
pub fn generate(names: &[String], use_from: OffsetDateTime) -> Result<Certificate, CertsError> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = all_names(names)?;
    params.distinguished_name.push(DnType::CommonName, "tickwire development");
    let not_before = whole_seconds(use_from) - BACKDATE;
    params.not_before = not_before;
    params.not_after = not_before + VALIDITY_MAX;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let made = Path::new("a certificate just made");
    Certificate::from_parts(vec![certificate.der().clone()], key, made, made)
}

/// The names as a certificate lists them: the default ones first, each once.
pub(crate) fn all_names(names: &[String]) -> Result<Vec<SanType>, CertsError> {
    let mut all: Vec<SanType> = Vec::new();
    for name in NAMES_DEFAULT.into_iter().chain(names.iter().map(String::as_str)) {
        let san = subject_alt_name(name)?;
        if !all.contains(&san) {
            all.push(san);
        }
    }
    Ok(all)
}

fn subject_alt_name(name: &str) -> Result<SanType, CertsError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let invalid = || CertsError::Name { name: name.to_owned() };
    let dns_characters = |c: char| c.is_ascii_alphanumeric() || "-._*".contains(c);
    if name.is_empty() || !name.chars().all(dns_characters) {
        return Err(invalid());
    }
    Ok(SanType::DnsName(name.try_into().map_err(|_| invalid())?))
}

/// Certificates count whole seconds.
fn whole_seconds(at: OffsetDateTime) -> OffsetDateTime {
    at - Duration::nanoseconds(i64::from(at.nanosecond()))
}
