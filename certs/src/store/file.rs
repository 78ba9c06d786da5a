//! One certificate and its key in one PEM file.

use std::net::IpAddr;
use std::path::Path;

use rcgen::SanType;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::generate::{VALIDITY_MAX, all_names};
use crate::private_file::is_private;
use crate::{Certificate, CertsError, load_pem, write_private};

/// The elliptic curve P-256, as certificates name it.
const P256_OID: &str = "1.2.840.10045.3.1.7";

/// The certificate of a file; `None`, with the reason in the log, if a new one must be made.
pub(super) fn load(
    path: &Path,
    names: &[String],
    now: OffsetDateTime,
) -> Result<Option<Certificate>, CertsError> {
    let wanted = all_names(names)?;
    if !path.exists() {
        return Ok(None);
    }
    let unusable = match load_pem(path, path) {
        Ok(found) => match why_unusable(path, &found, &wanted, now) {
            None => return Ok(Some(found)),
            Some(reason) => reason.to_owned(),
        },
        Err(error) => error.to_string(),
    };
    tracing::warn!(path = %path.display(), "replacing a development certificate: {unusable}");
    Ok(None)
}

/// Writes a certificate and its key; a concurrent reader sees the old file or the new one, never a
/// part.
pub(super) fn save(path: &Path, certificate: &Certificate) -> Result<(), CertsError> {
    write_private(path, &(certificate.chain_pem() + &certificate.key_pem()))
}

fn why_unusable(
    path: &Path,
    found: &Certificate,
    wanted: &[SanType],
    now: OffsetDateTime,
) -> Option<&'static str> {
    if !is_private(path) {
        Some("others may have read its key")
    } else if now > found.not_after {
        Some("it has expired")
    } else if found.validity() > VALIDITY_MAX {
        Some("it is valid for longer than browsers accept")
    } else if !is_p256(found) {
        Some("its key is not ECDSA on P-256")
    } else if !carries(found, wanted) {
        Some("it is for other names")
    } else {
        None
    }
}

fn is_p256(certificate: &Certificate) -> bool {
    let parsed = X509Certificate::from_der(&certificate.chain[0]);
    parsed.is_ok_and(|(_, parsed)| {
        let parameters = parsed.public_key().algorithm.parameters.as_ref();
        let curve = parameters.and_then(|any| any.as_oid().ok());
        curve.is_some_and(|curve| curve.to_id_string() == P256_OID)
    })
}

fn carries(certificate: &Certificate, wanted: &[SanType]) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(&certificate.chain[0]) else { return false };
    let Ok(Some(names)) = parsed.subject_alternative_name() else { return false };
    wanted.iter().all(|wanted| names.value.general_names.iter().any(|name| is_name(name, wanted)))
}

fn is_name(name: &GeneralName<'_>, wanted: &SanType) -> bool {
    match (name, wanted) {
        (GeneralName::DNSName(name), SanType::DnsName(wanted)) => *name == wanted.as_str(),
        (GeneralName::IPAddress(bytes), SanType::IpAddress(IpAddr::V4(wanted))) => {
            *bytes == wanted.octets()
        }
        (GeneralName::IPAddress(bytes), SanType::IpAddress(IpAddr::V6(wanted))) => {
            *bytes == wanted.octets()
        }
        _ => false,
    }
}
