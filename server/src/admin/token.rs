//! The token of the admin side.

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use crate::config::ServerConfig;
use crate::room::SecretDigest;

/// Characters of a token.
const LENGTH: std::ops::RangeInclusive<usize> = 32..=512;
/// Bytes of its file, at most.
const FILE_BYTES_MAX: u64 = 1024;
/// The variable that may hold it.
pub(super) const VARIABLE: &str = "TICKWIRE_ADMIN_TOKEN";
/// The command that makes one.
const MAKE: &str = "(umask 077; openssl rand -hex 32 > admin.token)";

/// Why there is no token for the admin side.
#[derive(Debug, thiserror::Error)]
pub enum AdminTokenError {
    /// None was given.
    #[error(
        "the admin side needs a token: make one by {MAKE}, and name its file with --admin-token-file"
    )]
    Missing,
    /// The file cannot be read, or holds no token.
    #[error("admin.token_file, {}: {reason}", path.display())]
    File {
        /// The setting.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The variable holds no token.
    #[error("{VARIABLE}: {0}")]
    Variable(String),
}

/// The digest of the token that every request must bear.
#[derive(Debug)]
pub(crate) struct AdminToken(SecretDigest);

impl AdminToken {
    /// Reads the token, if there is an admin side: from the file of the settings, else from `variable`, the value of
    /// `TICKWIRE_ADMIN_TOKEN`.
    pub(crate) fn open(
        config: &ServerConfig,
        variable: Option<String>,
    ) -> Result<Option<Self>, AdminTokenError> {
        if config.admin.listen.is_none() {
            return Ok(None);
        }
        let token = match (&config.admin.token_file, variable) {
            (Some(path), _) => read(path)
                .and_then(|text| AdminToken::parse(&text))
                .map_err(|reason| AdminTokenError::File { path: path.clone(), reason })?,
            (None, Some(text)) => AdminToken::parse(&text).map_err(AdminTokenError::Variable)?,
            (None, None) => return Err(AdminTokenError::Missing),
        };
        Ok(Some(token))
    }

    /// As [`AdminToken::open`], with the variable of this process.
    pub(crate) fn of_process(config: &ServerConfig) -> Result<Option<Self>, AdminTokenError> {
        AdminToken::open(config, std::env::var(VARIABLE).ok())
    }

    /// The error says what is wrong, and not what the token is.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let token = text.trim();
        if !LENGTH.contains(&token.len()) {
            let (least, most) = (LENGTH.start(), LENGTH.end());
            let length = token.len();
            return Err(format!(
                "a token has {least} to {most} characters, this one {length}; make one by {MAKE}"
            ));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "a token is one word of printable ASCII characters; make one by {MAKE}"
            ));
        }
        Ok(AdminToken(SecretDigest::of(token.as_bytes())))
    }

    /// True if `given` is the token. Takes the same time for all texts of a length.
    pub(super) fn is(&self, given: &str) -> bool {
        self.0.is_of(given.as_bytes())
    }
}

/// The text of a token's file.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => {
            let at = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            format!("there is no {}; make one by {MAKE}, or name another", at.display())
        }
        _ => error.to_string(),
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    #[cfg(unix)]
    if let Ok(found) = file.metadata()
        && std::os::unix::fs::MetadataExt::mode(&found) & 0o077 != 0
    {
        let path = path.display();
        tracing::warn!("others on this machine may read the admin token in {path}; chmod 600 it");
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn config(token_file: Option<PathBuf>) -> ServerConfig {
        let mut config = ServerConfig::default();
        config.admin.listen = Some("127.0.0.1:0".parse().unwrap());
        config.admin.token_file = token_file;
        config
    }

    #[test]
    fn a_token_comes_from_the_file_before_the_variable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.token");
        std::fs::write(&path, format!("{TOKEN}\n")).unwrap();
        let other = "f".repeat(40);
        let token = AdminToken::open(&config(Some(path)), Some(other.clone())).unwrap().unwrap();
        assert!(token.is(TOKEN) && !token.is(&other) && !token.is("") && !token.is(&TOKEN[1..]));
        let token = AdminToken::open(&config(None), Some(other.clone())).unwrap().unwrap();
        assert!(token.is(&other));
        assert!(AdminToken::open(&ServerConfig::default(), Some(other)).unwrap().is_none());
    }

    #[test]
    fn without_a_good_token_there_is_no_admin_side_and_the_reason_does_not_show_it() {
        let dir = tempfile::tempdir().unwrap();
        let written = |text: &str| {
            let path = dir.path().join("admin.token");
            std::fs::write(&path, text).unwrap();
            AdminToken::open(&config(Some(path)), None).unwrap_err().to_string()
        };
        let none = AdminToken::open(&config(None), None).unwrap_err().to_string();
        let nowhere = AdminToken::open(&config(Some("/no/token".into())), None).unwrap_err();
        let variable = AdminToken::open(&config(None), Some("short".into())).unwrap_err();
        for (text, words) in [
            (none, ["openssl rand", "--admin-token-file"]),
            (nowhere.to_string(), ["there is no /no/token", "openssl rand"]),
            (variable.to_string(), ["TICKWIRE_ADMIN_TOKEN", "this one 5"]),
            (written("short"), ["32 to 512", "this one 5"]),
            (written(&"secret ".repeat(8)), ["one word", "openssl rand"]),
            (written(&"s".repeat(2000)), ["32 to 512", "this one 1024"]),
        ] {
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
            assert!(!text.contains("short") && !text.contains("secret") && !text.contains("sss"));
        }
    }
}
