//! Joins defaults, file, environment and flags into one [`ServerConfig`].

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};
use figment::error::Kind;
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::sections::{SECTIONS, section_of};
use super::settings::{OutOfRange, Setting};
use super::{AdminConfig, RoomConfig, ServerConfig, TopicsConfig, WebhooksConfig};
use crate::topics::pattern_mistake;

/// Shown as the default of a setting without one.
pub(super) const NOTHING: &str = "none";

/// The reason why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `--help`, or an unreadable command line; displays itself.
    #[error("{0}")]
    Usage(Box<clap::Error>),
    /// The file of `--config` does not exist.
    #[error("no configuration file at {}; give an existing one with --config", .0.display())]
    NoFile(PathBuf),
    /// An unusable value.
    #[error("{name} is wrong in {origin}: {reason}{}", allowed_suffix(.allowed.as_deref()))]
    Wrong {
        /// The setting, as a key of the file.
        name: String,
        /// The file, variable or flag it came from.
        origin: String,
        /// The mistake.
        reason: String,
        /// The allowed range, if there is one.
        allowed: Option<String>,
    },
}

impl ServerConfig {
    /// Reads the configuration of this process from its command line, environment and file.
    ///
    /// # Errors
    /// [`ConfigError`]; [`ConfigError::Usage`] for `--help` as well.
    pub fn load() -> Result<ServerConfig, ConfigError> {
        ServerConfig::load_from(std::env::args_os(), |name| std::env::var(name).ok())
    }

    /// As [`ServerConfig::load`], from a command line (its first word is the program) and a
    /// function that looks up variables.
    ///
    /// # Errors
    /// As [`ServerConfig::load`].
    pub fn load_from(
        args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<ServerConfig, ConfigError> {
        let usage = |error| ConfigError::Usage(Box::new(error));
        let matches = command().try_get_matches_from(args).map_err(usage)?;
        let mut figment = Figment::from(Serialized::defaults(ServerConfig::default()));
        let named = matches.get_one::<String>("config").cloned();
        if let Some(file) = named.or_else(|| variable("TICKWIRE_CONFIG")) {
            let path = PathBuf::from(file);
            if !path.is_file() {
                return Err(ConfigError::NoFile(path));
            }
            figment = figment.merge(Toml::file_exact(path));
        }
        for (key, _) in every_setting() {
            let name = variable_name(&key);
            if let Some(text) = variable(&name) {
                figment = figment.merge(Given { key, text, origin: format!("variable {name}") });
            }
        }
        for (key, _) in every_setting() {
            let flag = flag_name(&key);
            if let Some(text) = matches.get_one::<String>(&flag).cloned() {
                figment = figment.merge(Given { key, text, origin: format!("flag --{flag}") });
            }
        }
        let config = figment.extract::<ServerConfig>().map_err(|error| wrong(&figment, &error))?;
        config.check_all().map_err(|(key, reason, allowed)| ConfigError::Wrong {
            origin: origin_of(&figment, &key),
            name: key,
            reason,
            allowed,
        })?;
        Ok(config)
    }

    /// Checks everything that types alone do not. The error is the key, the mistake and the allowed
    /// range.
    fn check_all(&self) -> Result<(), (String, String, Option<String>)> {
        let out_of_range = |prefix: &str, settings: &[Setting], wrong: OutOfRange| {
            let setting = settings.iter().find(|setting| setting.name == wrong.name);
            let allowed = setting.and_then(Setting::allowed_text);
            (format!("{prefix}{}", wrong.name), format!("it is {}", wrong.value), allowed)
        };
        self.check().map_err(|wrong| out_of_range("", Self::SETTINGS, wrong))?;
        self.room.check().map_err(|wrong| out_of_range("room.", RoomConfig::SETTINGS, wrong))?;
        let topics = self.topics.check();
        topics.map_err(|wrong| out_of_range("topics.", TopicsConfig::SETTINGS, wrong))?;
        let webhooks = self.webhooks.check();
        webhooks.map_err(|wrong| out_of_range("webhooks.", WebhooksConfig::SETTINGS, wrong))?;
        let admin = self.admin.check();
        admin.map_err(|wrong| out_of_range("admin.", AdminConfig::SETTINGS, wrong))?;
        let other = |key: &str, reason: &str| Err((key.to_owned(), reason.to_owned(), None));
        if self.cert_file.is_some() != self.key_file.is_some() {
            return other(
                "cert_file",
                "cert_file and key_file are only useful together; give both",
            );
        }
        if self.token_keys_file.is_some() && self.token_keys_url.is_some() {
            return other(
                "token_keys_url",
                "the keys come from token_keys_file already; give one of the two",
            );
        }
        if self.token_keys_pause_s > self.token_keys_refresh_s.min(self.token_keys_stale_s) {
            return other(
                "token_keys_pause_s",
                "it must not be more than token_keys_refresh_s or token_keys_stale_s",
            );
        }
        if self.keep_alive_ms >= self.idle_ms {
            return other("keep_alive_ms", "it must be less than idle_ms, or connections are lost");
        }
        for (key, patterns) in [
            ("topics.publish", &self.topics.publish),
            ("topics.subscribe", &self.topics.subscribe),
            ("topics.stored", &self.topics.stored),
            ("webhooks.patterns", &self.webhooks.patterns),
        ] {
            if let Some(mistake) = patterns.0.iter().find_map(|it| pattern_mistake(it)) {
                return other(key, &mistake);
            }
        }
        match self.allowed_origins.0.iter().find_map(|origin| wrong_origin(origin)) {
            Some(reason) => other("allowed_origins", &reason),
            None => Ok(()),
        }
    }
}

/// The mistake in a web origin, and the correct form. Browsers send scheme and host, and the port
/// if it is not the scheme's default.
fn wrong_origin(origin: &str) -> Option<String> {
    if origin == "*" {
        return None;
    }
    let (scheme, rest) = origin.split_once("://").unwrap_or(("https", origin));
    let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let own_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => "",
    };
    let place = place.strip_suffix(own_port).unwrap_or(place);
    let right = format!("{scheme}://{}", if place.is_empty() { "play.example" } else { place });
    let is_right = origin.trim_end_matches('/').eq_ignore_ascii_case(&right);
    (!is_right || place.is_empty())
        .then(|| format!("{origin:?} is no origin of a page; write {right}, or * for any"))
}

/// A value given as text, with its source.
struct Given {
    key: String,
    text: String,
    origin: String,
}

impl Provider for Given {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let value = match (self.text.parse::<u64>(), self.text.parse::<bool>()) {
            (Ok(number), _) => Value::from(number),
            (_, Ok(flag)) => Value::from(flag),
            _ => Value::from(self.text.clone()),
        };
        let nested = figment::util::nest(&self.key, value);
        let dict = nested.into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

fn wrong(figment: &Figment, error: &figment::Error) -> ConfigError {
    let key = error.path.join(".");
    let allowed = every_setting().find(|(name, _)| *name == key);
    ConfigError::Wrong {
        origin: match &error.metadata {
            Some(metadata) => origin(metadata),
            None => origin_of(figment, &key),
        },
        reason: wrong_address(figment, &key).unwrap_or_else(|| reason(&error.kind)),
        allowed: allowed.and_then(|(_, setting)| setting.allowed_text()),
        name: if key.is_empty() { "a setting".to_owned() } else { key },
    }
}

/// What is wrong with the value of a setting that is an address, and what to write instead.
fn wrong_address(figment: &Figment, key: &str) -> Option<String> {
    if !matches!(key, "listen" | "http_listen" | "admin.listen") {
        return None;
    }
    let given = shown(&figment.find_value(key).ok()?);
    let right = right_address(&given);
    Some(format!("{given:?} is no address with a port; write {right}"))
}

/// The address that was most likely meant: the default port where none is given, all of this machine's addresses where
/// there is but a port, and numbers for its name.
fn right_address(given: &str) -> SocketAddr {
    let default = ServerConfig::default().listen;
    let (host, port) = match given.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, port),
        _ => (given, ""),
    };
    if let Ok(ip) = given.trim_matches(['[', ']']).parse() {
        return SocketAddr::new(ip, default.port());
    }
    if let Ok(port) = given.parse() {
        return SocketAddr::new(default.ip(), port);
    }
    let ip = if host == "localhost" { Some(Ipv4Addr::LOCALHOST.into()) } else { host.parse().ok() };
    let ip = ip.unwrap_or(default.ip());
    SocketAddr::new(ip, port.parse().unwrap_or(default.port()))
}

/// The mistake in words, for someone who does not know the types.
fn reason(kind: &Kind) -> String {
    let (Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected)) = kind else {
        return kind.to_string();
    };
    let expected = match expected.as_str() {
        "u8" | "u32" | "u64" | "usize" => "a whole number",
        "a boolean" => "true or false",
        other => other,
    };
    format!("it is {actual}, not {expected}")
}

fn origin_of(figment: &Figment, key: &str) -> String {
    figment.find_metadata(key).map_or_else(|| "the configuration".to_owned(), origin)
}

fn origin(metadata: &Metadata) -> String {
    match &metadata.source {
        Some(figment::Source::File(path)) => format!("file {}", path.display()),
        Some(figment::Source::Code(_)) => "the defaults".to_owned(),
        _ => metadata.name.to_string(),
    }
}

fn allowed_suffix(allowed: Option<&str>) -> String {
    allowed.map(|allowed| format!("; allowed: {allowed}")).unwrap_or_default()
}

/// Every setting with its key in the file.
pub(super) fn every_setting() -> impl Iterator<Item = (String, &'static Setting)> {
    let is_single =
        |setting: &&Setting| !matches!(setting.name, "room" | "topics" | "webhooks" | "admin");
    let server = ServerConfig::SETTINGS.iter().filter(is_single);
    let (room, topics) = (RoomConfig::SETTINGS.iter(), TopicsConfig::SETTINGS.iter());
    let (webhooks, admin) = (WebhooksConfig::SETTINGS.iter(), AdminConfig::SETTINGS.iter());
    server
        .map(|setting| (setting.name.to_owned(), setting))
        .chain(room.map(|setting| (format!("room.{}", setting.name), setting)))
        .chain(topics.map(|setting| (format!("topics.{}", setting.name), setting)))
        .chain(webhooks.map(|setting| (format!("webhooks.{}", setting.name), setting)))
        .chain(admin.map(|setting| (format!("admin.{}", setting.name), setting)))
}

fn variable_name(key: &str) -> String {
    format!("TICKWIRE_{}", key.replace('.', "_").to_uppercase())
}

fn flag_name(key: &str) -> String {
    key.replace(['.', '_'], "-")
}

fn command() -> Command {
    let config = Arg::new("config").long("config").value_name("FILE");
    let config = config.help("TOML file with these settings [variable: TICKWIRE_CONFIG]");
    let mut command = Command::new("tickwire")
        .about("An authoritative fixed-tick game server")
        .after_help(
            "Flags are stronger than variables, variables than the file.\n\
             `token --help` tells how to make and read join tokens, `replay --help` how to run a room's journal again,\n\
             `admin --help` how to ask a server that runs.",
        )
        .arg(config);
    let defaults = Figment::from(Serialized::defaults(ServerConfig::default()));
    // A section is shown where its first setting is.
    let mut settings: Vec<_> = every_setting().collect();
    settings.sort_by_key(|(key, _)| section_of(key));
    for (key, setting) in settings {
        let flag = flag_name(&key);
        let lines: Vec<&str> = setting.help.iter().map(|line| line.trim()).collect();
        let allowed = setting.allowed_text().map(|text| format!(", {text}")).unwrap_or_default();
        let default =
            defaults.find_value(&key).map_or_else(|_| NOTHING.to_owned(), |it| shown(&it));
        let help = format!(
            "{}\n[default: {default}{allowed}] [variable: {}]",
            lines.join(" "),
            variable_name(&key)
        );
        let mut arg = Arg::new(flag.clone()).long(flag).value_name("VALUE").help(help);
        arg = arg.action(ArgAction::Set);
        arg = arg.help_heading(section_of(&key).map(|at| SECTIONS[at].0));
        if matches!(default.as_str(), "true" | "false") {
            arg = arg.num_args(0..=1).default_missing_value("true");
        }
        command = command.arg(arg);
    }
    command
}

/// A value in the form in which it is given.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.clone(),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => number.to_u128().map_or_else(String::new, |it| it.to_string()),
        Value::Array(_, words) if !words.is_empty() => {
            words.iter().map(shown).collect::<Vec<_>>().join(",")
        }
        _ => NOTHING.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(args: &[&str], variables: &[(&str, &str)]) -> Result<ServerConfig, ConfigError> {
        let args = ["tickwire"].iter().chain(args).map(OsString::from).collect::<Vec<_>>();
        ServerConfig::load_from(args, |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn file(text: &str) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.toml");
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (dir, path)
    }

    #[test]
    fn later_sources_are_stronger() {
        let (_dir, path) = file("rooms_max = 1\nconnections_max = 2\nidle_ms = 9000\n");
        let variables = [("TICKWIRE_CONNECTIONS_MAX", "3"), ("TICKWIRE_IDLE_MS", "8000")];
        let config = load(&["--config", &path, "--idle-ms", "7000"], &variables).unwrap();
        assert_eq!(config.rooms_max, 1);
        assert_eq!(config.connections_max, 3);
        assert_eq!(config.idle_ms, 7000);
        assert_eq!(config.handshake_ms, 5000);
    }

    #[test]
    fn every_form_of_a_value_is_read() {
        let (_dir, path) =
            file("allowed_origins = [\"https://a.example\"]\n[room]\nplayers_max = 7\n");
        let variables = [("TICKWIRE_ROOM_SPECTATORS_MAX", "9")];
        let args =
            ["--config", &path, "--listen", "[::1]:0", "--realtime", "--certs-names", "a, b"];
        let config = load(&args, &variables).unwrap();
        assert_eq!(config.listen, "[::1]:0".parse().unwrap());
        assert_eq!(config.allowed_origins.0, ["https://a.example"]);
        assert_eq!(config.certs_names.0, ["a", "b"]);
        assert_eq!((config.room.players_max, config.room.spectators_max), (7, 9));
        assert!(config.realtime);
    }

    #[test]
    fn a_wrong_value_is_named_with_its_source() {
        let (_dir, path) = file("[room]\nplayers_max = 0\n");
        let (_other_dir, misspelt) = file("romms_max = 1\n");
        let flag_only = ["--rooms-max", "many"];
        type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a [&'a str]);
        let cases: [Case; 6] = [
            (&["--config", &path], &[], &["room.players_max", "server.toml", "it is 0", "1 to"]),
            (&["--config", &misspelt], &[], &["romms_max", "server.toml"]),
            (&flag_only, &[], &["rooms_max", "--rooms-max", "many", "1 to 1000000"]),
            (&[], &[("TICKWIRE_IDLE_MS", "-1")], &["idle_ms", "TICKWIRE_IDLE_MS", "1000 to"]),
            (&[], &[("TICKWIRE_LISTEN", "here")], &["listen", "TICKWIRE_LISTEN"]),
            (&["--cert-file", "a.pem"], &[], &["cert_file", "--cert-file", "key_file"]),
        ];
        for (args, variables, words) in cases {
            let text = load(args, variables).unwrap_err().to_string();
            for word in words {
                assert!(text.contains(word), "{word:?} is not in {text:?}");
            }
        }
        let text = load(&["--config", "/nowhere.toml"], &[]).unwrap_err().to_string();
        assert!(text.contains("/nowhere.toml"), "{text}");
    }

    #[test]
    fn an_address_without_a_port_is_refused_with_the_one_that_was_meant() {
        for (wrong, right) in [
            ("127.0.0.1", "127.0.0.1:4433"),
            ("::1", "[::1]:4433"),
            ("[::1]", "[::1]:4433"),
            ("8080", "[::]:8080"),
            (":8080", "[::]:8080"),
            ("localhost", "127.0.0.1:4433"),
            ("localhost:80", "127.0.0.1:80"),
            ("play.example:443", "[::]:443"),
            ("127.0.0.1:99999", "127.0.0.1:4433"),
            ("here", "[::]:4433"),
        ] {
            for flag in ["listen", "http-listen"] {
                let text = load(&[&format!("--{flag}"), wrong], &[]).unwrap_err().to_string();
                let words = format!("{wrong:?} is no address with a port; write {right}");
                assert!(text.ends_with(&words) && text.contains(flag), "{text}");
            }
        }
    }

    #[test]
    fn an_origin_that_no_browser_would_name_is_refused_with_one_that_it_would() {
        for (wrong, right) in [
            ("play.example", "https://play.example"),
            ("play.example:8443", "https://play.example:8443"),
            ("https://play.example/game", "https://play.example"),
            ("https://play.example:443", "https://play.example"),
            ("http://play.example:80/", "http://play.example"),
            ("https://", "https://play.example"),
        ] {
            let list = format!("https://a.example, {wrong}");
            let text = load(&["--allowed-origins", &list], &[]).unwrap_err().to_string();
            for word in ["allowed_origins", "--allowed-origins", wrong, &format!("write {right}")] {
                assert!(text.contains(word), "{word:?} is not in {text:?}");
            }
        }
        let good = "*, https://play.example, https://Play.example:8443/, http://[::1]:5173";
        load(&["--allowed-origins", good], &[]).unwrap();
    }

    #[test]
    fn help_shows_every_setting() {
        let text = load(&["--help"], &[]).unwrap_err().to_string();
        for (key, _) in every_setting() {
            assert!(text.contains(&format!("--{}", flag_name(&key))), "{key} has no flag");
            assert!(text.contains(&variable_name(&key)), "{key} has no variable");
        }
    }

    #[test]
    fn help_shows_defaults_as_they_would_be_given() {
        let text = load(&["--help"], &[]).unwrap_err().to_string();
        let list = "[default: admin,administrator,moderator,server,system]";
        for shown in ["[default: [::]:4433]", "[default: true]", "[default: none]", list] {
            assert!(text.contains(shown), "{shown} is missing");
        }
        for internal in ["::from", "None", "default()"] {
            assert!(!text.contains(internal), "{internal} is shown");
        }
    }

    #[test]
    fn help_lists_each_setting_below_the_title_of_its_section() {
        let text = load(&["--help"], &[]).unwrap_err().to_string();
        let (mut title, mut titles) = ("", std::collections::HashMap::new());
        for line in text.lines() {
            title = line.strip_suffix(':').filter(|it| !it.starts_with(' ')).unwrap_or(title);
            let flag = line.trim_start().split(' ').next().filter(|word| word.starts_with("--"));
            titles.extend(flag.map(|flag| (flag, title)));
        }
        for (key, _) in every_setting() {
            let flag = format!("--{}", flag_name(&key));
            let (title, _) = SECTIONS[section_of(&key).unwrap()];
            assert_eq!(titles.get(&*flag), Some(&title), "{flag}");
        }
    }

    #[test]
    fn the_defaults_are_allowed() {
        assert_eq!(load(&[], &[]).unwrap(), ServerConfig::default());
    }
}
