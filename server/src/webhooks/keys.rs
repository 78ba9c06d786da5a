//! The keys that sign webhooks, by the scheme of Standard Webhooks (version 1.0.0, symmetric signatures).

use std::io::ErrorKind;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use super::WebhookError;

/// Keys at once: there are several during a rotation.
const KEYS_MAX: usize = 4;
/// Bytes of a key.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Bytes of a file of keys, at most.
const FILE_BYTES_MAX: u64 = 4096;
/// The command that makes a key.
const MAKE: &str = "(umask 077; echo whsec_$(openssl rand -base64 32) > webhook.key)";
/// The beginning of a key as text.
const PREFIX: &str = "whsec_";

/// The keys that sign, each for itself.
#[derive(Debug)]
pub(super) struct WebhookKeys(Vec<hmac::Key>);

impl WebhookKeys {
    /// Reads a file of keys, one a line.
    pub(super) fn load(path: &Path) -> Result<Self, WebhookError> {
        let wrong = |reason: String| WebhookError::Keys { path: path.to_owned(), reason };
        let found = std::fs::metadata(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                let at = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
                wrong(format!("there is no {}; make one by {MAKE}, or name another", at.display()))
            }
            _ => wrong(error.to_string()),
        })?;
        #[cfg(unix)]
        if std::os::unix::fs::MetadataExt::mode(&found) & 0o077 != 0 {
            let path = path.display();
            tracing::warn!(
                "others on this machine may read the keys of webhooks in {path}; chmod 600 it"
            );
        }
        let bytes = found.len();
        if bytes > FILE_BYTES_MAX {
            return Err(wrong(format!("it has {bytes} bytes, more than {FILE_BYTES_MAX}")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        WebhookKeys::parse(&text).map_err(wrong)
    }

    /// Reads keys, one a line. The error says what is wrong, and not what the keys are.
    fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
        let keys = lines.map(|(at, line)| {
            let wrong = |why: &str| format!("line {} {why}; mend that line", at + 1);
            let coded = line.strip_prefix(PREFIX);
            let coded = coded.ok_or_else(|| wrong("does not begin with whsec_"))?;
            let key = STANDARD.decode(coded).map_err(|_| wrong("is no base64 after whsec_"))?;
            match KEY_BYTES.contains(&key.len()) {
                true => Ok(hmac::Key::new(hmac::HMAC_SHA256, &key)),
                false => Err(wrong(&format!("is a key of {} bytes, not of 24 to 64", key.len()))),
            }
        });
        let keys = keys.collect::<Result<Vec<_>, String>>()?;
        match keys.len() {
            0 => Err(format!("it has no key; make one by {MAKE}")),
            count if count > KEYS_MAX => {
                Err(format!("it has {count} keys, more than {KEYS_MAX}; remove the oldest"))
            }
            _ => Ok(WebhookKeys(keys)),
        }
    }

    /// The signatures of a message: the header `webhook-signature`.
    pub(super) fn sign(&self, id: &str, timestamp_s: u64, body: &[u8]) -> String {
        let head = format!("{id}.{timestamp_s}.");
        let sign = |key: &hmac::Key| {
            let mut context = hmac::Context::with_key(key);
            context.update(head.as_bytes());
            context.update(body);
            format!("v1,{}", STANDARD.encode(context.sign()))
        };
        self.0.iter().map(sign).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    #[test]
    fn a_signature_is_that_of_the_standards_example() {
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let keys = WebhookKeys::parse(ONE).unwrap();
        let signed = keys.sign(id, 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = WebhookKeys::parse(&format!("\n{ONE}\r\n  {OTHER}\n")).unwrap();
        let both = both.sign(id, 1_614_265_330, body);
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!(first, signed);
        assert!(second.starts_with("v1,") && second != first);
    }

    #[test]
    fn keys_of_no_use_are_refused_with_the_reason_and_not_shown() {
        let many = format!("{ONE}\n").repeat(5);
        for (text, why) in [
            ("", "it has no key"),
            ("\n \n", "it has no key"),
            ("c2VjcmV0", "line 1 does not begin with whsec_"),
            ("whsec_c2Vj cmV0", "line 1 is no base64"),
            ("\nwhsec_c2VjcmV0", "line 2 is a key of 6 bytes"),
            (&*many, "it has 5 keys"),
        ] {
            let reason = WebhookKeys::parse(text).unwrap_err();
            assert!(reason.contains(why) && !reason.contains("c2V"), "{text}: {reason}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("webhook.key");
        let error = WebhookKeys::load(&path).unwrap_err().to_string();
        assert!(error.contains("webhook.key") && error.contains("openssl rand"), "{error}");
        std::fs::write(&path, "x".repeat(5000)).unwrap();
        assert!(WebhookKeys::load(&path).unwrap_err().to_string().contains("5000 bytes"));
    }
}
