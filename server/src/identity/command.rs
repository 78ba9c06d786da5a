//! `token mint` and `token inspect`, on the command line of every game's server.

use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::Value;

use super::check::{TOKEN_BYTES_MAX, TokenError, TokenRules, check_claims, signed_claims};
use super::claims::{Audiences, TokenClaims, TopicRights, random_id};
use super::keys::{TokenKeys, TokenKeysError, TokenSigner};
use super::tokens::{rules_of, unix_s};
use crate::config::ServerConfig;

/// The output of the command.
#[derive(Debug)]
pub(crate) struct TokenAnswer {
    pub(crate) text: String,
    /// False for a token that a server would refuse.
    pub(crate) is_good: bool,
}

/// The reason for no output.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenCommandError {
    /// `--help`, or an unreadable command line; displays itself.
    #[error("{0}")]
    Usage(Box<clap::Error>),
    /// No keys.
    #[error(transparent)]
    Keys(#[from] TokenKeysError),
    /// No token.
    #[error("{0}")]
    Other(String),
}

/// Makes or reads a token for `game`; `args` begin with the program and `token`. `input` has a token that is not among them.
pub(crate) fn token_command(
    game: &str,
    args: impl IntoIterator<Item = OsString>,
    input: &mut impl Read,
) -> Result<TokenAnswer, TokenCommandError> {
    let usage = |error| TokenCommandError::Usage(Box::new(error));
    // The word `token` takes the place of the program's name.
    let matches = command(game).try_get_matches_from(args.into_iter().skip(1)).map_err(usage)?;
    match matches.subcommand() {
        Some(("mint", flags)) => mint(flags, unix_s()),
        Some((_, flags)) => inspect(flags, input, unix_s()),
        None => Err(TokenCommandError::Other("say mint or inspect; see token --help".to_owned())),
    }
}

fn command(game: &str) -> Command {
    let text = |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help);
    let file =
        |name, help| text(name, help).value_name("FILE").value_parser(value_parser!(PathBuf));
    let seconds =
        |name, help| text(name, help).value_name("SECONDS").value_parser(value_parser!(u64));
    let audience =
        || text("audience", "Whom it is for").value_name("WORD").default_value(game.to_owned());
    let mint = Command::new("mint")
        .about("Signs a token and prints it")
        .arg(Arg::new("account").required(true).help("The account, 1 to 64 bytes"))
        .arg(
            file("key", "The private key: PEM (openssl genpkey -algorithm ed25519), or a JWKS with a secret")
                .required(true),
        )
        .arg(text("kid", "The key's id, if the file has none").value_name("ID"))
        .arg(audience())
        .arg(text("name", "The display name; the player chooses if not given"))
        .arg(text("room", "The one room that it is for"))
        .arg(text("seat", "The game's own number for the place there").value_parser(value_parser!(u32)))
        .args([
            text("publish", "Topics to which the account may publish, separated by commas"),
            text("subscribe", "Topics to which it may subscribe, separated by commas"),
        ])
        .arg(seconds("lifetime", "For how long it is good").default_value("300"));
    let inspect =
        Command::new("inspect")
            .about("Prints what a token says and, with keys, whether a server would take it now")
            .arg(Arg::new("token").help(
                "The token; from standard input if not given, which no list of processes shows",
            ))
            .arg(file("keys", "The server's token_keys_file"))
            .arg(audience());
    Command::new("token")
        .about("Makes and reads join tokens")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(mint)
        .subcommand(inspect)
}

fn mint(flags: &ArgMatches, now_s: u64) -> Result<TokenAnswer, TokenCommandError> {
    let text = |name: &str| flags.get_one::<String>(name).cloned();
    let file: &PathBuf = flags.get_one("key").expect("a required flag");
    let mut signer = TokenSigner::load(file)?;
    if let Some(id) = text("kid") {
        signer = signer.with_id(&id);
    }
    let lifetime_s: u64 = *flags.get_one("lifetime").expect("a flag with a default");
    let claims = TokenClaims {
        sub: text("account"),
        name: text("name"),
        aud: text("audience").map(Audiences::One),
        exp: Some(now_s.saturating_add(lifetime_s)),
        nbf: None,
        iat: Some(now_s),
        jti: Some(random_id()),
        room: text("room"),
        seat: flags.get_one("seat").copied(),
        topics: topic_rights(text("publish"), text("subscribe")),
    };
    // A token that no server takes is not made.
    let audience = text("audience").unwrap_or_default();
    let rules = TokenRules { lifetime_s_max: u64::MAX / 2, ..TokenRules::for_audience(&audience) };
    check_claims(&claims, &rules, now_s).map_err(|error| other(&error))?;
    let text = signer.sign(&claims).map_err(|error| other(&error))?;
    Ok(TokenAnswer { text, is_good: true })
}

/// The topics of a token; `None` leaves them to the server's settings.
fn topic_rights(publish: Option<String>, subscribe: Option<String>) -> Option<TopicRights> {
    if publish.is_none() && subscribe.is_none() {
        return None;
    }
    let list = |words: Option<String>| {
        let words = words.unwrap_or_default();
        words.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
    };
    Some(TopicRights { publish: list(publish), subscribe: list(subscribe) })
}

fn inspect(
    flags: &ArgMatches,
    input: &mut impl Read,
    now_s: u64,
) -> Result<TokenAnswer, TokenCommandError> {
    let mut token = flags.get_one::<String>("token").cloned().unwrap_or_default();
    if token.is_empty() {
        let most = 2 * TOKEN_BYTES_MAX as u64;
        input.take(most).read_to_string(&mut token).map_err(|error| other(&error))?;
    }
    let token = token.trim();
    let mut parts = token.split('.').map(shown);
    let (Some(Some(head)), Some(Some(claims))) = (parts.next(), parts.next()) else {
        return Err(other(&TokenError::Malformed));
    };
    let (verdict, is_good) = match flags.get_one::<PathBuf>("keys") {
        None => (
            "nobody checked it: give --keys to see whether a server would take it".to_owned(),
            true,
        ),
        Some(file) => {
            let keys = TokenKeys::load(file)?;
            let audience = flags.get_one::<String>("audience").cloned().unwrap_or_default();
            let rules = rules_of(&ServerConfig::default(), &audience);
            let checked =
                signed_claims(&keys, token).and_then(|claims| check_claims(&claims, &rules, now_s));
            match checked {
                Ok(ends_s) => {
                    let left_s = (ends_s - rules.skew_s).saturating_sub(now_s);
                    (format!("good for {left_s} s, once"), true)
                }
                Err(error) => (format!("refused: {error}"), false),
            }
        }
    };
    Ok(TokenAnswer { text: format!("{head}\n{claims}\n{verdict}"), is_good })
}

/// A part of a token as readable JSON. Characters that control a terminal are escaped.
fn shown(part: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    let text = serde_json::to_string_pretty(&value).ok()?;
    let escaped = text.chars().map(|letter| match letter {
        '\n' => "\n".to_owned(),
        letter if letter.is_ascii() && !letter.is_control() || letter.is_alphanumeric() => {
            letter.to_string()
        }
        letter => letter.escape_unicode().to_string(),
    });
    Some(escaped.collect())
}

fn other(error: &dyn ToString) -> TokenCommandError {
    TokenCommandError::Other(error.to_string())
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PKCS_ED25519};

    use super::*;

    fn run(words: &[&str], input: &str) -> Result<TokenAnswer, TokenCommandError> {
        let args = ["dots-server", "token"].iter().chain(words).map(OsString::from);
        token_command("dots", args, &mut input.as_bytes())
    }

    #[test]
    fn a_token_is_made_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let file = |name: &str, text: String| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (private, public) =
            (file("key.pem", pair.serialize_pem()), file("pub.pem", pair.public_key_pem()));
        let flags = [
            "--key",
            &private,
            "--kid",
            "1",
            "--room",
            "own",
            "--seat",
            "3",
            "--name",
            "\u{202e}Ann",
        ];
        let token = run(&[&["mint", "ann"], &flags[..]].concat(), "").unwrap().text;
        let read = run(&["inspect", &token], "").unwrap();
        for word in [
            "\"EdDSA\"",
            "\"kid\": \"1\"",
            "\"sub\": \"ann\"",
            "\"room\": \"own\"",
            "\"seat\": 3",
            "\\u{202e}Ann",
        ] {
            assert!(read.text.contains(word), "{word:?} is not in {}", read.text);
        }
        assert!(read.text.ends_with("whether a server would take it"));
        let good = run(&["inspect", "--keys", &public], &format!("{token}\n")).unwrap();
        assert!(good.is_good && good.text.contains("good for "), "{}", good.text);
        let elsewhere =
            run(&["inspect", "--keys", &public, "--audience", "cubes", &token], "").unwrap();
        assert!(
            !elsewhere.is_good && elsewhere.text.ends_with("for another server; sign in again")
        );
        let long = [&["mint", "ann", "--lifetime", "3600"], &flags[..]].concat();
        let long = run(&long, "").unwrap().text;
        let refused = run(&["inspect", "--keys", &public, &long], "").unwrap();
        assert!(
            !refused.is_good && refused.text.contains("good for 3600 s, longer"),
            "{}",
            refused.text
        );
    }

    #[test]
    fn what_cannot_be_made_or_read_is_said() {
        let text = |words: &[&str]| run(words, "garbage").unwrap_err().to_string();
        assert!(text(&[]).contains("mint"));
        assert!(text(&["mint", "ann"]).contains("--key"));
        assert!(text(&["mint", "ann", "--key", "/nowhere.pem"]).contains("/nowhere.pem"));
        assert!(text(&["inspect"]).contains("no JWT"));
        assert!(text(&["inspect", "a.b.c"]).contains("no JWT"));
    }
}
