//! Profiles of accounts over real sockets, on a real disk.

use std::path::Path;

use tickwire_server::ServerConfig;
use tickwire_server::identity::{AuthRefusal, Authenticator, Credentials, Identity};
use tickwire_shared::Account;
use tickwire_shared::control::{
    ClientFrame, CloseCode, RefuseCode, RoomChoice, RoomQuery, ServerFrame,
};

use crate::client::{Client, Over};
use crate::commands::{answer, command, digit, until_steps};
use crate::game::SAVED_STEPS;
use crate::harness::{Running, soon};
use crate::identity::enter;
use crate::restored::walk;

/// A token is the account's id; without one a player is a guest.
pub(crate) struct Named;

impl Authenticator for Named {
    async fn authenticate(&self, shown: Credentials<'_>) -> Result<Identity, AuthRefusal> {
        let account = shown.token.map(|token| Account { id: token.0.clone(), seat: None });
        Ok(Identity { account, ..Identity::default() })
    }
}

pub(crate) async fn start(store: &Path, change: impl FnOnce(&mut ServerConfig)) -> Running {
    Running::start_asking(Named, |config| {
        config.store = Some(store.to_owned());
        config.store_commit_ms = 10;
        change(config);
    })
    .await
}

pub(crate) async fn stop(mut server: Running) {
    server.ask_to_stop();
    server.stopped().await;
}

/// A member of `room` by this account.
async fn player(server: &Running, over: Over, account: &str, room: &str) -> Client {
    let mut client = enter(server, over, account).await;
    client.join(room, account).await;
    client
}

/// Saves, and waits until the disk has it: the dot has `wanted` steps then.
async fn save(client: &mut Client, number: u8, wanted: u32) {
    client.ask(command(digit(number))).await;
    until_steps(client, (wanted + SAVED_STEPS) as i32).await;
}

/// Leaves its room, and joins another one at once.
async fn go_on(client: &mut Client, room: &str, name: &str) {
    client.ask(|request| ClientFrame::Leave { request }).await;
    client.hear_until(|frame| matches!(frame, ServerFrame::Left { .. }).then_some(())).await;
    client.join(room, name).await;
}

#[tokio::test]
async fn a_profile_outlives_its_room_and_its_server_over_all_transports() {
    let dir = tempfile::tempdir().unwrap();
    for (at, over) in Over::ALL.into_iter().enumerate() {
        let account = format!("account-{at}");
        let server = start(dir.path(), |_| {}).await;
        let mut ann = player(&server, over, &account, "bay").await;
        until_steps(&mut ann, 0).await;
        save(&mut ann, 7, 7).await;
        // Another account, and a guest, have nothing of it.
        let mut bob = player(&server, over, "bob", "bay").await;
        until_steps(&mut bob, 0).await;
        let mut guest = server.player(over, "bay", "guest").await;
        guest.ask(command(digit(3))).await;
        until_steps(&mut guest, 3).await;
        // What the game saves at the leave is there at the next join, at once.
        go_on(&mut ann, "cave", &account).await;
        until_steps(&mut ann, (7 + SAVED_STEPS) as i32).await;
        stop(server).await;
        let server = start(dir.path(), |_| {}).await;
        let mut ann = player(&server, over, &account, "bay").await;
        until_steps(&mut ann, (7 + SAVED_STEPS) as i32).await;
        stop(server).await;
    }
}

#[tokio::test]
async fn what_is_saved_at_the_stop_of_the_server_is_there_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), |_| {}).await;
    let mut ann = player(&server, Over::Quic, "ann", "bay").await;
    walk(&mut ann, 5).await;
    stop(server).await;
    let server = start(dir.path(), |_| {}).await;
    let mut ann = player(&server, Over::Quic, "ann", "bay").await;
    walk(&mut ann, 1).await;
    assert!(ann.steps().is_some_and(|steps| steps >= 5), "{:?}", ann.steps());
    stop(server).await;
}

#[tokio::test]
async fn a_newer_session_of_the_account_has_what_the_older_one_saved_last() {
    let dir = tempfile::tempdir().unwrap();
    // The last save of the older session waits for the same transaction, a tick later than the join.
    let server = start(dir.path(), |config| {
        (config.store_commit_ms, config.profile_load_ms) = (1000, 60_000);
    })
    .await;
    let mut old = player(&server, Over::Quic, "ann", "bay").await;
    save(&mut old, 4, 4).await;
    let mut new = player(&server, Over::WebTransport, "ann", "cave").await;
    assert_eq!(old.goodbye().await.0, CloseCode::AccountTaken);
    until_steps(&mut new, (4 + SAVED_STEPS) as i32).await;
    let stats = server.stats().await;
    assert_eq!(stats["store"]["profiles_stale"], 0, "{stats}");
    assert!(stats["store"]["profiles_saved"].as_u64() >= Some(2), "{stats}");
}

#[tokio::test]
async fn an_account_whose_profile_does_not_come_in_time_is_refused_and_may_ask_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), |config| {
        (config.store_commit_ms, config.profile_load_ms) = (2000, 50);
    })
    .await;
    let mut guest = server.player(Over::Quic, "bay", "guest").await;
    until_steps(&mut guest, 0).await;
    let mut ann = enter(&server, Over::Quic, "ann").await;
    let join = |request| ClientFrame::Join {
        request,
        room: RoomChoice::Named("bay".to_owned()),
        name: "ann".to_owned(),
        options: "".into(),
        password: "".into(),
    };
    ann.ask(join).await;
    match answer(&mut ann).await {
        ServerFrame::Refused { code, text, .. } => {
            assert_eq!(code, RefuseCode::Busy);
            assert!(text.contains("your saved profile cannot be read now"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    // Its session goes on.
    ann.ask(|request| ClientFrame::ListRooms { request, query: RoomQuery::default() }).await;
    assert!(matches!(answer(&mut ann).await, ServerFrame::Rooms { .. }));
    soon("the stop", stop(server)).await;
}

#[tokio::test]
async fn a_journal_with_profiles_runs_again_bit_for_bit() {
    let (dir, journal) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = start(dir.path(), |config| {
        config.journal = Some(journal.path().to_owned());
        (config.journal_flush_ms, config.journal_checkpoint_s) = (10, 1);
    })
    .await;
    let mut ann = player(&server, Over::Quic, "ann", "bay").await;
    save(&mut ann, 2, 2).await;
    go_on(&mut ann, "bay", "ann").await;
    until_steps(&mut ann, (2 + SAVED_STEPS) as i32).await;
    save(&mut ann, 1, (2 + SAVED_STEPS) * 10 + 1).await;
    let followed = async {
        loop {
            let stats = server.stats().await;
            let follower = &stats["journal_follower"];
            assert_eq!(follower["rooms_not_deterministic"], 0, "{follower}");
            assert_eq!(follower["rooms_not_followed"], 0, "{follower}");
            if follower["checkpoints"].as_u64() > Some(0) {
                return;
            }
            ann.play(crate::game::Keys::default()).await;
        }
    };
    soon("a checkpoint", followed).await;
    stop(server).await;
}
