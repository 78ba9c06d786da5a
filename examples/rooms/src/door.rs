//! Who comes in: whoever has an account's key, with the rights of that account.

use ring::digest::{SHA256, digest};
use tickwire::server::identity::{AuthRefusal, Authenticator, Credentials, Identity, TopicRights};

use crate::program::Program;

/// Hexadecimal digits of a key of 256 bits.
const KEY_DIGITS: usize = 64;

/// Lets accounts in, and makes new ones.
pub(crate) struct Door {
    program: Program,
}

impl Door {
    pub(crate) fn new(program: Program) -> Self {
        Door { program }
    }
}

impl Authenticator for Door {
    async fn authenticate(&self, shown: Credentials<'_>) -> Result<Identity, AuthRefusal> {
        let Some(token) = shown.token else {
            // A guest, who may do nothing.
            return Ok(Identity { topics: Some(TopicRights::default()), ..Identity::default() });
        };
        let parts = token.as_str().split_once('~').filter(|(_, key)| is_key(key));
        let (name, key) =
            parts.ok_or_else(|| AuthRefusal::invalid("this is no name with a key"))?;
        let hash = digest(&SHA256, key.as_bytes());
        let hash = hash.as_ref().try_into().expect("SHA-256 has 32 bytes");
        let account = self.program.sign_in(name, hash)?;
        // No account for the server: it would have one session at a time, and a person has several pages and devices.
        Ok(Identity { topics: Some(rights(&account)), ..Identity::default() })
    }
}

fn is_key(text: &str) -> bool {
    text.len() == KEY_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn rights(account: &str) -> TopicRights {
    let own = |topic: &str| format!("{topic}/{account}");
    let read = ["people", "channel/*", "here/*", "typing/*"].map(str::to_owned);
    let own_read =
        [own("account"), own("marks"), format!("dm/{account}/*"), format!("dm/*/{account}")];
    TopicRights {
        publish: ["say", "here", "typing"].map(own).to_vec(),
        subscribe: read.into_iter().chain(own_read).collect(),
    }
}
