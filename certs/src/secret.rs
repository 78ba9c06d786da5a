//! A secret that a server keeps between two starts, so that peers of the first trust the second.

use std::fmt;
use std::fs;
use std::path::Path;

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::private_file::{create_dir, is_private};
use crate::{CertsError, write_private};

const SECRET_FILE: &str = "reset.key";

/// Random bytes that are the same at every start. Anyone who has them can end the connections of
/// the server's clients.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Loads the secret of `dir`, or makes it: a file that only its owner can read. A secret that
    /// is damaged, or that others could read, is replaced with a line in the log.
    ///
    /// # Errors
    /// [`CertsError::Io`] if the directory or the file cannot be written.
    pub fn open(dir: &Path) -> Result<Secret, CertsError> {
        create_dir(dir)?;
        let path = dir.join(SECRET_FILE);
        if path.exists() {
            match load(&path) {
                Ok(secret) => return Ok(secret),
                Err(why) => {
                    tracing::warn!(path = %path.display(), "replacing the reset secret: {why}");
                }
            }
        }
        let secret = Secret::random();
        let digits: String = secret.0.iter().map(|byte| format!("{byte:02x}")).collect();
        write_private(&path, &(digits + "\n"))?;
        Ok(secret)
    }

    /// A secret that is not stored: it lasts as long as the server.
    pub fn random() -> Secret {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).expect("the system gives random bytes");
        Secret(bytes)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    /// Hides the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

fn load(path: &Path) -> Result<Secret, &'static str> {
    if !is_private(path) {
        return Err("others may have read it");
    }
    let text = fs::read_to_string(path).map_err(|_| "it cannot be read")?;
    parse(text.trim()).map(Secret).ok_or("it is damaged")
}

fn parse(digits: &str) -> Option<[u8; 32]> {
    let bytes = digits.as_bytes();
    let (pairs, rest) = bytes.as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let parsed: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    parsed.filter(|_| rest.is_empty())?.try_into().ok()
}
