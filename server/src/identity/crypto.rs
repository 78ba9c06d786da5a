//! The cryptography of `jsonwebtoken`, by `ring`: a second library for it would be one too many.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, UnparsedPublicKey,
};
use ring::{digest, hmac};

static RING: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(unsupported()),
        rsa_pub_components_from_public_key: |_| Err(unsupported()),
        ec_pub_components_from_private_key: |_, _| Err(unsupported()),
        ed_pub_components_from_private_key: |_, _| Err(unsupported()),
        compute_digest: |bytes, _| Ok(digest::digest(&digest::SHA256, bytes).as_ref().to_vec()),
    },
};

/// Makes `jsonwebtoken` use `ring` in this process. A program that has chosen another provider before keeps that.
pub(super) fn use_ring() {
    let _ = RING.install_default();
}

/// The key that checks what `key` signs.
pub(super) fn checking_key(algorithm: Algorithm, key: &EncodingKey) -> Result<DecodingKey, Error> {
    Ok(match pair_of(algorithm, key)? {
        SigningPair::Hmac(_) => DecodingKey::from_secret(key.as_bytes())?,
        SigningPair::Ec(pair) => DecodingKey::from_ec_der(pair.public_key().as_ref()),
        SigningPair::Ed(pair) => DecodingKey::from_ed_der(pair.public_key().as_ref()),
    })
}

/// Random bytes of the system.
pub(super) fn random_bytes<const BYTES: usize>() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    SystemRandom::new().fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

fn unsupported() -> Error {
    ErrorKind::UnsupportedAlgorithm.into()
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    if algorithm.family() != key.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let key = key.try_get_as_bytes()?.to_vec();
    Ok(Box::new(RingVerifier { algorithm: *algorithm, key }))
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    if algorithm.family() != key.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Box::new(RingSigner { algorithm: *algorithm, pair: pair_of(*algorithm, key)? }))
}

fn pair_of(algorithm: Algorithm, key: &EncodingKey) -> Result<SigningPair, Error> {
    let bytes = key.as_bytes();
    Ok(match algorithm {
        Algorithm::HS256 => SigningPair::Hmac(hmac::Key::new(hmac::HMAC_SHA256, bytes)),
        Algorithm::ES256 => {
            let alg = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let pair = EcdsaKeyPair::from_pkcs8(alg, bytes, &SystemRandom::new());
            SigningPair::Ec(Box::new(pair.map_err(|_| ErrorKind::InvalidEcdsaKey)?))
        }
        // Other programs write the private key without the public one.
        Algorithm::EdDSA => SigningPair::Ed(Box::new(
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes)
                .map_err(|_| ErrorKind::InvalidEddsaKey)?,
        )),
        _ => return Err(unsupported()),
    })
}

struct RingVerifier {
    algorithm: Algorithm,
    key: Vec<u8>,
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let is_signed = match self.algorithm {
            Algorithm::HS256 => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key);
                hmac::verify(&key, message, signature).is_ok()
            }
            Algorithm::ES256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.key)
                .verify(message, signature)
                .is_ok(),
            Algorithm::EdDSA => {
                UnparsedPublicKey::new(&ED25519, &self.key).verify(message, signature).is_ok()
            }
            _ => false,
        };
        if is_signed { Ok(()) } else { Err(SignatureError::new()) }
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

enum SigningPair {
    Hmac(hmac::Key),
    Ec(Box<EcdsaKeyPair>),
    Ed(Box<Ed25519KeyPair>),
}

struct RingSigner {
    algorithm: Algorithm,
    pair: SigningPair,
}

impl Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(match &self.pair {
            SigningPair::Hmac(key) => hmac::sign(key, message).as_ref().to_vec(),
            SigningPair::Ec(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map_err(|_| SignatureError::new())?
                .as_ref()
                .to_vec(),
            SigningPair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        })
    }
}

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
