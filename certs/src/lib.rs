//! Certificates for a tickwire server: short-lived ones for development, PEM files for production.
//!
//! A browser accepts a self-signed certificate over WebTransport if the page gives its SHA-256, the
//! key is ECDSA on P-256 and the whole validity is less than 14 days (the `serverCertificateHashes`
//! option of the WebTransport API). So a [`Store`] keeps two: the current one and its successor. A
//! page gets both hashes, and keeps working when the server rotates.
//!
//! 1. [`Certificate`]: a chain, its key, and its hash in the formats of browsers;
//! 2. [`load_pem`]: reads one from files, for production;
//! 3. [`Store`]: the two development certificates, in a directory, rotated;
//! 4. [`Secret`]: lets a restarted server tell its predecessor's peers that it is gone.
//!
//! Nothing here reads a clock: `now` is always an argument.

mod certificate;
mod error;
mod generate;
mod private_file;
mod secret;
mod store;

pub use certificate::{Certificate, load_pem};
pub use error::CertsError;
pub use generate::{BACKDATE, NAMES_DEFAULT, VALIDITY_MAX, generate};
pub use private_file::write_private;
pub use secret::Secret;
pub use store::Store;
