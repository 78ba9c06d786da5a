//! Who comes in: join tokens good and bad, each with its code and text, new keys under play, one session for an account.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::json;
use tickwire_server::ServerConfig;
use tickwire_server::identity::{
    Audiences, AuthRefusal, Authenticator, Credentials, Identity, TokenClaims, TokenSigner,
};
use tickwire_shared::Account;
use tickwire_shared::control::{ClientFrame, CloseCode, RefuseCode, RoomChoice, ServerFrame};

use crate::client::{Client, Over, hello};
use crate::commands::answer;
use crate::game::{BANNED, Keys};
use crate::harness::{Running, soon};
use crate::restored::{Files, resumed, walk};

/// A key pair, and how many tokens it signed.
pub(crate) struct Backend {
    id: String,
    signer: TokenSigner,
    public: String,
    public_bytes: Vec<u8>,
    signed: std::cell::Cell<u32>,
}

impl Backend {
    pub(crate) fn new(id: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let signer = TokenSigner::parse(&pair.serialize_pem()).unwrap().with_id(id);
        let public_bytes = pair.public_key_raw().to_vec();
        let public = format!("kid: {id}\n{}", pair.public_key_pem());
        Backend { id: id.to_owned(), signer, public, public_bytes, signed: 0.into() }
    }

    /// Its public key in a JWKS document.
    pub(crate) fn jwk(&self) -> serde_json::Value {
        let x = URL_SAFE_NO_PAD.encode(&self.public_bytes);
        json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": self.id, "x": x})
    }

    /// A token for `account`, good for five minutes and once, with changes.
    pub(crate) fn token(&self, account: &str, change: impl FnOnce(&mut TokenClaims)) -> String {
        self.signed.set(self.signed.get() + 1);
        let now_s = now_s();
        let mut claims = TokenClaims {
            sub: Some(account.to_owned()),
            aud: Some(Audiences::One("dots".to_owned())),
            iat: Some(now_s),
            exp: Some(now_s + 300),
            jti: Some(format!("{account} {} of {}", self.signed.get(), self.id)),
            ..TokenClaims::default()
        };
        change(&mut claims);
        self.signer.sign(&claims).unwrap()
    }

    /// A server that takes this key's tokens.
    async fn server(&self, change: impl FnOnce(&mut ServerConfig)) -> Running {
        Running::start_with(|config| {
            self.is_known_to(config);
            change(config);
        })
        .await
    }

    /// Has a server take this key's tokens.
    pub(crate) fn is_known_to(&self, config: &mut ServerConfig) {
        // Beside the directory of the certificates, which is made anew.
        let dir = config.certs_dir.parent().unwrap();
        write_keys(dir, &self.public);
        config.token_keys_file = Some(dir.join(KEYS));
        config.token_keys_check_s = 1;
    }
}

const KEYS: &str = "keys.pem";

/// Puts a file of keys in place of the one that is there, as an operator does.
fn write_keys(dir: &Path, text: &str) {
    std::fs::write(dir.join("new.pem"), text).unwrap();
    std::fs::rename(dir.join("new.pem"), dir.join(KEYS)).unwrap();
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A client that says hello with this token.
pub(crate) async fn knock(server: &Running, over: Over, token: &str) -> Client {
    let mut client = server.connect(over).await;
    client.open_both().await;
    let ClientFrame::Hello { client: name, schema, resumable, .. } = hello() else {
        unreachable!()
    };
    let token = token.into();
    client.say(&ClientFrame::Hello { client: name, schema, resumable, token }).await;
    client
}

/// A client that is let in with this token.
pub(crate) async fn enter(server: &Running, over: Over, token: &str) -> Client {
    let mut client = knock(server, over, token).await;
    match client.hear().await {
        ServerFrame::Welcome { player, .. } => client.player = player,
        other => panic!("not let in: {other:?}"),
    }
    client
}

/// An unsigned token, or one that is signed with the bytes of a key that everybody has.
fn forged(alg: &str, secret: Option<&[u8]>) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let (now_s, aud) = (now_s(), "dots");
    let claims = json!({"sub": "ann", "aud": aud, "iat": now_s, "exp": now_s + 60, "jti": "1"});
    let message = format!("{}.{}", part(json!({"alg": alg, "kid": "one"})), part(claims));
    let signature = secret.map_or_else(String::new, |secret| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, message.as_bytes()))
    });
    format!("{message}.{signature}")
}

/// A bad token: what is wrong with it, itself, and the code and a part of the text that it ends with.
type BadToken = (&'static str, String, CloseCode, &'static str);

/// Tokens that no server of this backend's key takes.
fn bad_tokens(backend: &Backend) -> Vec<BadToken> {
    use CloseCode::{TokenExpired, TokenInvalid, TokenMissing, TokenNotYet};
    let (other_id, same_id) = (Backend::new("two"), Backend::new("one"));
    let good = backend.token("ann", |_| {});
    let (half, message) = (&good[..good.len() / 2], good.rsplit_once('.').unwrap().0);
    let now_s = now_s();
    let past = |c: &mut TokenClaims| (c.iat, c.exp) = (Some(now_s - 100), Some(now_s - 50));
    let elsewhere = |c: &mut TokenClaims| c.aud = Some(Audiences::One("cubes".to_owned()));
    let public_pem = backend.public.split_once('\n').unwrap().1;
    let other_algorithm = "an algorithm that this server's key is not for";
    vec![
        ("none at all", String::new(), TokenMissing, "sign in, and connect with a token"),
        ("expired", backend.token("ann", past), TokenExpired, "has expired; get a new one"),
        (
            "not yet",
            backend.token("ann", |c| c.nbf = Some(now_s + 200)),
            TokenNotYet,
            "not valid yet; wait",
        ),
        ("wrong audience", backend.token("ann", elsewhere), TokenInvalid, "for another server"),
        (
            "unknown key",
            other_id.token("ann", |_| {}),
            TokenInvalid,
            "a key that this server does not have",
        ),
        ("wrong key", same_id.token("ann", |_| {}), TokenInvalid, "no key of this server signed"),
        ("alg none", forged("none", None), TokenInvalid, "not signed, or by an algorithm other"),
        (
            "alg EdDSA, unsigned",
            forged("EdDSA", None),
            TokenInvalid,
            "no key of this server signed",
        ),
        (
            "HS256 by the public key",
            forged("HS256", Some(&backend.public_bytes)),
            TokenInvalid,
            other_algorithm,
        ),
        (
            "HS256 by the public PEM",
            forged("HS256", Some(public_pem.as_bytes())),
            TokenInvalid,
            other_algorithm,
        ),
        (
            "too long a life",
            backend.token("ann", |c| c.exp = Some(now_s + 3600)),
            TokenInvalid,
            "longer than this server allows",
        ),
        ("no account", backend.token("", |_| {}), TokenInvalid, "\"sub\" of the token is missing"),
        ("no id", backend.token("ann", |c| c.jti = None), TokenInvalid, "\"jti\" of the token is"),
        ("oversized", "A".repeat(4097), TokenInvalid, "longer than 4096 bytes"),
        ("garbage", "hunter2 \u{1f642}\n".to_owned(), TokenInvalid, "cannot be read"),
        ("truncated", half.to_owned(), TokenInvalid, "cannot be read"),
        ("without a signature", message.to_owned(), TokenInvalid, "cannot be read"),
    ]
}

#[tokio::test]
async fn each_bad_token_ends_with_its_code_and_text() {
    let backend = Backend::new("one");
    let server = backend.server(|_| {}).await;
    let used = backend.token("ann", |_| {});
    // The bad ones are hers, and disturb her in nothing.
    let mut ann = enter(&server, Over::Quic, &used).await;
    ann.join("undisturbed", "Ann").await;
    let mut cases = bad_tokens(&backend);
    cases.push(("reused", used, CloseCode::TokenUsed, "was used before; get a new one"));
    for (at, (what, token, wanted, words)) in cases.into_iter().enumerate() {
        let over = Over::ALL[at % 3];
        let (code, text) = knock(&server, over, &token).await.goodbye().await;
        println!("| {what} | {} `{code:?}` | {text} |", code.number());
        assert_eq!(code, wanted, "{what}: {text}");
        assert!(text.contains(words), "{what}: {words:?} is not in {text:?}");
        assert!(token.len() < 8 || !text.contains(&token[..8]), "{what}: the token is in {text:?}");
    }
    ann.play(Keys::default()).await;
    let stats = server.stats().await;
    assert_eq!(
        (&stats["sessions_unauthenticated"], &stats["sessions_replaced"]),
        (&18.into(), &0.into())
    );
}

#[tokio::test]
async fn a_token_says_which_room_name_and_seat() {
    let backend = Backend::new("one");
    let server = backend.server(|_| {}).await;
    for (at, over) in Over::ALL.into_iter().enumerate() {
        let (room, seat) = (format!("own-{at}"), 7 + at as u32);
        let token = backend.token(&format!("ann {at}"), |claims| {
            claims.room = Some(room.clone());
            claims.name = Some("Ann".to_owned());
            claims.seat = Some(seat);
        });
        let mut ann = enter(&server, over, &token).await;
        let elsewhere = [
            RoomChoice::Named("other".to_owned()),
            RoomChoice::Create { name: "other".to_owned(), options: "".into() },
            RoomChoice::Create { name: room.clone(), options: "".into() },
        ];
        for choice in elsewhere {
            ann.ask_to_join(choice, "x").await;
            assert_eq!(ann.refused().await, RefuseCode::TokenForOtherRoom);
        }
        let (name, password) = ("x".to_owned(), "".into());
        let other = "other".to_owned();
        ann.ask(|request| ClientFrame::Spectate { request, room: other, name, password }).await;
        let refused = ann.hear().await;
        let ServerFrame::Refused { code, text, .. } = refused else { panic!("{refused:?}") };
        println!("| other room | refused, `{code:?}` | {text} |");
        assert_eq!(code, RefuseCode::TokenForOtherRoom);
        // Any room is its own, by its own name.
        ann.ask_to_join(RoomChoice::Quick, "Somebody").await;
        let joined = ann.hear().await;
        let ServerFrame::Joined { room: joined, seat: number, tick, members, .. } = joined else {
            panic!("{joined:?}");
        };
        assert_eq!((joined.name, members[0].name.as_str()), (room, "Ann"));
        (ann.seat, ann.tick) = (number, tick);
        ann.replica = Some(tickwire_shared::replica::Replica::new(
            &tickwire_shared::simulation::schema_of::<crate::game::Dots>(),
            number,
        ));
        soon("the seat", async {
            while ann.steps() != Some(seat as i32) {
                ann.play(Keys::default()).await;
            }
        })
        .await;
    }
    // The game knows the account before it lets it in.
    let mut eve = enter(&server, Over::Quic, &backend.token(BANNED, |_| {})).await;
    eve.ask_to_join(RoomChoice::Quick, "Eve").await;
    assert_eq!(eve.refused().await, RefuseCode::ByGame(50));
}

/// Whether a new token of this backend is taken.
async fn is_taken(server: &Running, backend: &Backend) -> bool {
    let mut late = knock(server, Over::Quic, &backend.token("late", |_| {})).await;
    match late.hear().await {
        ServerFrame::Welcome { .. } => true,
        ServerFrame::Goodbye { code, .. } => {
            assert_eq!(code, CloseCode::TokenInvalid);
            false
        }
        other => panic!("neither in nor out: {other:?}"),
    }
}

#[tokio::test]
async fn new_keys_under_play_disconnect_nobody() {
    let (old, new) = (Backend::new("old"), Backend::new("new"));
    let server = old.server(|_| {}).await;
    let mut players = Vec::new();
    for (at, over) in Over::ALL.into_iter().cycle().take(6).enumerate() {
        let mut player = enter(&server, over, &old.token(&format!("p{at}"), |_| {})).await;
        player.join("rotation", &format!("p{at}")).await;
        players.push(player);
    }
    let dir = server.dir.path();
    // Both, then the new one alone; a file that cannot be used changes nothing.
    let both = format!("{}\n{}", old.public, new.public);
    let steps =
        [(both.as_str(), [true, true]), (&new.public, [false, true]), ("oops", [false, true])];
    for (at, (text, taken)) in steps.into_iter().enumerate() {
        write_keys(dir, text);
        soon("the new keys", async {
            while [is_taken(&server, &old).await, is_taken(&server, &new).await] != taken {
                for player in &mut players {
                    player.play(Keys::default()).await;
                }
            }
        })
        .await;
        if at == 2 {
            // Nothing is to happen: time for another look at the file.
            tokio::time::sleep(Duration::from_millis(1500)).await;
            assert_eq!([is_taken(&server, &old).await, is_taken(&server, &new).await], taken);
        }
        for player in &mut players {
            let before = player.tick;
            while player.tick.since(before) < 5 {
                player.play(Keys { right: 1, panic: false }).await;
            }
        }
    }
    assert_eq!(server.stats().await["sessions_lost"], 0);
}

#[tokio::test]
async fn the_newer_session_of_an_account_takes_its_seat_and_its_name() {
    let backend = Backend::new("one");
    let server = backend.server(|config| config.room.players_max = 1).await;
    let mut older = enter(&server, Over::Quic, &backend.token("ann", |_| {})).await;
    older.join("single", "Ann").await;
    for over in Over::ALL {
        let mut newer = enter(&server, over, &backend.token("ann", |_| {})).await;
        // Its one seat and its name are free once the newer session is welcome.
        newer.join("single", "Ann").await;
        let (code, text) = older.goodbye().await;
        assert_eq!(
            (code, text.as_str()),
            (CloseCode::AccountTaken, CloseCode::AccountTaken.text())
        );
        older = newer;
    }
    // One that is lost makes way as well, and another account does not.
    enter(&server, Over::Quic, &backend.token("bob", |_| {})).await;
    older.play(Keys::default()).await;
    assert_eq!(server.stats().await["sessions_replaced"], 3);
}

#[tokio::test]
async fn a_second_session_of_an_account_is_refused_where_the_settings_say_so() {
    let backend = Backend::new("one");
    let server = backend.server(|config| config.account_newer_wins = false).await;
    let mut first = enter(&server, Over::WebTransport, &backend.token("ann", |_| {})).await;
    first.join("mine", "Ann").await;
    for over in Over::ALL {
        let mut second = knock(&server, over, &backend.token("ann", |_| {})).await;
        assert_eq!(second.goodbye().await.0, CloseCode::AccountInUse);
    }
    first.play(Keys::default()).await;
    first.ask(|request| ClientFrame::Goodbye { request }).await;
    first.goodbye().await;
    soon("the account is free", async {
        loop {
            let mut again = knock(&server, Over::Quic, &backend.token("ann", |_| {})).await;
            match again.hear().await {
                ServerFrame::Welcome { .. } => return,
                other => assert!(matches!(other, ServerFrame::Goodbye { .. }), "{other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn guests_come_in_beside_tokens_where_the_settings_say_so() {
    let backend = Backend::new("one");
    let server = backend.server(|config| config.token_guests = true).await;
    enter(&server, Over::Quic, "").await;
    enter(&server, Over::Quic, &backend.token("ann", |_| {})).await;
    let mut liar = knock(&server, Over::Quic, "nonsense").await;
    assert_eq!(liar.goodbye().await.0, CloseCode::TokenInvalid);
}

/// Takes a moment, like a backend that is asked; never answers for "slow", and panics over "broken".
struct Slow;

impl Authenticator for Slow {
    async fn authenticate(&self, shown: Credentials<'_>) -> Result<Identity, AuthRefusal> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        match shown.token.map(|token| token.as_str()) {
            Some("slow") => std::future::pending().await,
            Some("broken") => panic!("asked to break"),
            Some("down") => Err(AuthRefusal::unavailable("the backend is asleep; try again")),
            Some(id) => {
                let account = Some(Account { id: id.to_owned(), seat: None });
                Ok(Identity { account, ..Identity::default() })
            }
            None => Ok(Identity::default()),
        }
    }
}

#[tokio::test]
async fn a_program_decides_by_an_authenticator_of_its_own_within_the_time_for_a_hello() {
    let server = Running::start_asking(Slow, |config| config.handshake_ms = 1500).await;
    let mut player = server.player(Over::Quic, "room", "Ann").await;
    enter(&server, Over::WebTransport, "ann").await;
    let down = knock(&server, Over::WebSocket, "down").await.goodbye().await;
    assert_eq!(down, (CloseCode::AuthUnavailable, "the backend is asleep; try again".to_owned()));
    let (code, _) = knock(&server, Over::Quic, "slow").await.goodbye().await;
    assert_eq!(code, CloseCode::AuthUnavailable);
    player.play(Keys::default()).await;
}

#[tokio::test]
async fn an_authenticator_that_panics_refuses_that_player_alone() {
    let server = Running::start_asking(Slow, |_| {}).await;
    let mut player = server.player(Over::Quic, "room", "Ann").await;
    for over in Over::ALL {
        let refused = knock(&server, over, "broken").await.goodbye().await;
        let text = CloseCode::AuthUnavailable.text().to_owned();
        assert_eq!(refused, (CloseCode::AuthUnavailable, text));
    }
    // Nothing is left of them.
    server.until_stats("connections", |count| count == 1).await;
    assert_eq!(server.stats().await["sessions"], 1);
    player.play(Keys::default()).await;
}

#[tokio::test]
async fn a_token_says_which_room_and_name_after_a_restart_too() {
    let (backend, mut files) = (Backend::new("one"), Files::new());
    let server = files.server(|config| backend.is_known_to(config)).await;
    let token = backend.token("ann", |claims| {
        (claims.room, claims.name) = (Some("own".to_owned()), Some("Ann".to_owned()));
    });
    let mut ann = server.connect(Over::Quic).await;
    ann.open_both().await;
    let ClientFrame::Hello { client, schema, .. } = hello() else { unreachable!() };
    let token = token.as_str().into();
    ann.say(&ClientFrame::Hello { client, schema, resumable: true, token }).await;
    let ServerFrame::Welcome { player, resume: Some(secret), .. } = ann.hear().await else {
        panic!("no secret");
    };
    ann.player = player;
    ann.ask_to_join(RoomChoice::Quick, "x").await;
    ann.joined().await;
    walk(&mut ann, 3).await;
    files.until_kept(ann.tick.0).await;
    let server = files.again(server, |config| backend.is_known_to(config)).await;
    let mut ann = resumed(&server, Over::Quic, (player, secret), ann.requests).await;
    let request = ann.ask(|request| ClientFrame::Leave { request }).await;
    assert_eq!(answer(&mut ann).await, ServerFrame::Left { request });
    ann.ask_to_join(RoomChoice::Named("other".to_owned()), "Bob").await;
    assert_eq!(ann.refused().await, RefuseCode::TokenForOtherRoom);
    ann.ask_to_join(RoomChoice::Quick, "Bob").await;
    let (room, members) = ann
        .hear_until(|frame| match frame {
            ServerFrame::Joined { room, members, .. } => Some((room.name, members)),
            _ => None,
        })
        .await;
    let member = members.iter().find(|member| member.player == player).unwrap();
    assert_eq!((room.as_str(), member.name.as_str()), ("own", "Ann"));
}
