//! The command `admin` of a game's program: asks the admin side of a server that runs, and prints its answers.

mod table;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{HeaderValue, Method, Request};
use bytes::Bytes;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use http_body_util::{BodyExt as _, Full, Limited};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::token::{VARIABLE, read};
use crate::config::HttpAddress;
use crate::http_client::{AGENT, HttpClient, OpenConnection};
use crate::identity::TrustSettings;
use crate::log::harmless;

/// Time for a whole request.
const TIME: Duration = Duration::from_secs(15);
/// Bytes of an answer, at most.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Lines of a list that are asked for.
const LINES: &str = "1000";

/// Runs `PROGRAM admin ...`; `args` begin with the program and `admin`.
pub(crate) fn admin_command(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // The word `admin` takes the place of the program's name.
    let matches = command().get_matches_from(args.into_iter().skip(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answered = match runtime {
        Ok(runtime) => runtime.block_on(run(&matches)),
        Err(error) => Err(error.to_string()),
    };
    match answered {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {}", harmless(&error));
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    Command::new("admin")
        .about("Asks the admin side of a server that runs, and prints the answer.")
        .after_help(format!("The token comes from --token-file, or from the variable {VARIABLE}."))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            Arg::new("url")
                .long("url")
                .value_name("URL")
                .default_value("http://localhost:4434")
                .help("Where the admin side listens, or a proxy with TLS before it"),
        )
        .arg(
            Arg::new("token-file")
                .long("token-file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("As in the setting admin.token_file"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .global(true)
                .help("Print the answer as it came"),
        )
        .subcommands(subcommands())
}

fn subcommands() -> Vec<Command> {
    let option = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("TEXT").help(help)
    };
    let argument = |name: &'static str, help: &'static str| {
        let value = name.to_uppercase();
        Arg::new(name).value_name(value).required(true).help(help)
    };
    let number = || {
        argument("number", "Of the session, as in the list of players")
            .value_parser(value_parser!(u32))
    };
    vec![
        Command::new("server").about("What the server does now."),
        Command::new("settings").about("Every setting with its value in force."),
        Command::new("metrics").about("What is counted, as Prometheus reads it."),
        Command::new("rooms")
            .about("All rooms, those with most players first.")
            .arg(option("name", "Only rooms whose name contains this"))
            .arg(option("tag", "Only rooms with this tag")),
        Command::new("room").about("One room.").arg(argument("name", "Of the room")),
        Command::new("players")
            .about("Sessions, by their numbers.")
            .arg(option("room", "Only those in this room"))
            .arg(option("account", "Only those of this account"))
            .arg(option("name", "Only those whose name contains this")),
        Command::new("kick")
            .about("Ends a session.")
            .arg(number())
            .arg(argument("reason", "What the player reads")),
        Command::new("message")
            .about("Says something to one session.")
            .arg(number())
            .arg(argument("text", "What the player reads")),
        Command::new("notice")
            .about("Says something to everyone, or to a room.")
            .arg(argument("text", "What the players read"))
            .arg(option("room", "To this room alone")),
    ]
}

/// A request to the admin side.
#[derive(Debug, PartialEq)]
struct AdminQuestion {
    method: Method,
    path: String,
    body: Option<Value>,
}

impl AdminQuestion {
    fn get(path: impl Into<String>) -> Self {
        AdminQuestion { method: Method::GET, path: path.into(), body: None }
    }

    fn post(path: String, body: Value) -> Self {
        AdminQuestion { method: Method::POST, path, body: Some(body) }
    }

    /// What a command line asks.
    fn of(matches: &ArgMatches) -> Self {
        let (name, matches) = matches.subcommand().expect("clap requires one");
        let text = |name: &str| matches.get_one::<String>(name).map_or("", String::as_str);
        let list = |path: &str, filters: &[&str]| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("limit", LINES);
            for filter in filters {
                if let Some(value) = matches.get_one::<String>(filter) {
                    query.append_pair(filter, value);
                }
            }
            format!("{path}?{}", query.finish())
        };
        let player = |action: &str| {
            let number = matches.get_one::<u32>("number").copied().unwrap_or_default();
            format!("/v1/players/{number}/{action}")
        };
        match name {
            "rooms" => AdminQuestion::get(list("/v1/rooms", &["name", "tag"]) + "&order=players"),
            "room" => {
                let name: String =
                    form_urlencoded::byte_serialize(text("name").as_bytes()).collect();
                AdminQuestion::get(format!("/v1/rooms/{}", name.replace('+', "%20")))
            }
            "players" => AdminQuestion::get(list("/v1/players", &["room", "account", "name"])),
            "kick" => AdminQuestion::post(player("kick"), json!({ "reason": text("reason") })),
            "message" => AdminQuestion::post(player("message"), json!({ "text": text("text") })),
            "notice" => {
                let room = matches.get_one::<String>("room");
                AdminQuestion::post(
                    "/v1/notices".into(),
                    json!({ "text": text("text"), "room": room }),
                )
            }
            "metrics" => AdminQuestion::get("/metrics"),
            name => AdminQuestion::get(format!("/v1/{name}")),
        }
    }
}

async fn run(matches: &ArgMatches) -> Result<String, String> {
    let url = matches.get_one::<String>("url").map_or("", String::as_str);
    let address = HttpAddress::parse(url, "http://localhost:4434")?;
    let token = token(matches.get_one::<PathBuf>("token-file").map(PathBuf::as_path))?;
    let question = AdminQuestion::of(matches);
    let asked = timeout(TIME, ask(&address, &token, &question)).await;
    let text = asked.unwrap_or_else(|_| Err(format!("{url} did not answer in time")))?;
    let is_shown_as_is = matches.get_flag("json")
        || matches.subcommand().is_some_and(|(_, of)| of.get_flag("json"))
        || question.path == "/metrics";
    match serde_json::from_str(&text) {
        Ok(answer) if !is_shown_as_is => Ok(table::of(&answer)),
        _ => Ok(text),
    }
}

fn token(file: Option<&Path>) -> Result<HeaderValue, String> {
    let text = match file {
        Some(path) => read(path).map_err(|reason| format!("{}: {reason}", path.display()))?,
        None => std::env::var(VARIABLE).map_err(|_| {
            format!("give the token: --token-file FILE, or the variable {VARIABLE}")
        })?,
    };
    let value = HeaderValue::try_from(format!("Bearer {}", text.trim()));
    let mut value = value.map_err(|_| "the token has characters that no token has".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// The answer's text. A refusal is an error.
async fn ask(
    address: &HttpAddress,
    token: &HeaderValue,
    question: &AdminQuestion,
) -> Result<String, String> {
    let settings = TrustSettings { url: "--url", ca_file: "the variable SSL_CERT_FILE" };
    // Over plain HTTP the token must not leave this machine.
    let client = HttpClient::new(address, (None, settings), true);
    let client = client.map_err(|error| error.to_string())?;
    let failed = |error: &dyn std::fmt::Display| {
        format!("{}: {error}; is there a server with admin.listen?", address.authority())
    };
    let connected = client.connect().await.map_err(|error| failed(&error))?;
    let mut open = OpenConnection::new(connected);
    let body = question.body.as_ref().map(Value::to_string).unwrap_or_default();
    let request = Request::builder()
        .method(&question.method)
        .uri(&question.path)
        .header(HOST, address.authority())
        .header(USER_AGENT, AGENT)
        .header(AUTHORIZATION, token)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let answer = open.sender.send_request(request).await.map_err(|error| failed(&error))?;
    let status = answer.status();
    let read = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let bytes = read.map_err(|error| failed(&error))?.to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if status.is_success() {
        return Ok(text);
    }
    let refusal: Option<Value> = serde_json::from_str(&text).ok();
    match refusal.as_ref().and_then(|it| Some((it["code"].as_str()?, it["text"].as_str()?))) {
        Some((code, text)) => Err(format!("{code}: {text}")),
        None => Err(failed(&status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(line: &str) -> AdminQuestion {
        let words = line.split(' ').map(|word| word.replace('_', " "));
        AdminQuestion::of(
            &command().get_matches_from(std::iter::once("admin".to_owned()).chain(words)),
        )
    }

    #[test]
    fn each_command_asks_its_route() {
        for (line, path) in [
            ("server", "/v1/server"),
            ("settings", "/v1/settings"),
            ("metrics", "/metrics"),
            ("rooms", "/v1/rooms?limit=1000&order=players"),
            ("rooms --name a&b --tag x", "/v1/rooms?limit=1000&name=a%26b&tag=x&order=players"),
            ("room bay", "/v1/rooms/bay"),
            ("room a/b_c", "/v1/rooms/a%2Fb%20c"),
            (
                "players --room bay --account ann --name A",
                "/v1/players?limit=1000&room=bay&account=ann&name=A",
            ),
        ] {
            assert_eq!(question(line), AdminQuestion::get(path), "{line}");
        }
        for (line, path, body) in [
            ("kick 7 be_gone", "/v1/players/7/kick", json!({"reason": "be gone"})),
            ("message 7 stop", "/v1/players/7/message", json!({"text": "stop"})),
            ("notice hello", "/v1/notices", json!({"text": "hello", "room": null})),
            ("notice hello --room bay", "/v1/notices", json!({"text": "hello", "room": "bay"})),
        ] {
            assert_eq!(question(line), AdminQuestion::post(path.to_owned(), body), "{line}");
        }
        command().debug_assert();
    }
}
