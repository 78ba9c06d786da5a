use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW: u64 = 1_796_000_000_000;

/// A chat of Ann, who moderates, Bob and Cid.
fn chat() -> Chat {
    let mut chat = Chat::new(["ann".to_owned()]);
    chat.begin();
    for (name, key) in [("Ann", 1), ("Bob", 2), ("Cid", 3)] {
        chat.sign_in(name, [key; 32]).unwrap();
    }
    chat
}

/// What is published for a request, with its topic.
fn ask(chat: &mut Chat, account: &str, now_ms: u64, request: &Value) -> Vec<(String, Value)> {
    let out = chat.handle_request(account, request.to_string().as_bytes(), now_ms);
    out.into_iter().map(|it| (it.topic, serde_json::from_slice(&it.payload).unwrap())).collect()
}

fn post(id: &str, place: &str, text: &str) -> Value {
    json!({"request": id, "do": "post", "place": place, "text": text})
}

/// The code with which a request is refused.
fn refused(out: &[(String, Value)]) -> &str {
    assert_eq!(out.len(), 1, "{out:?}");
    out[0].1["refused"]["code"].as_str().unwrap_or("done")
}

#[test]
fn a_name_is_of_the_key_that_came_first() {
    let mut chat = chat();
    assert_eq!(chat.sign_in("BOB", [2; 32]).unwrap().0, "bob");
    assert_eq!(chat.sign_in("bob", [9; 32]), Err(SignInRefusal::Taken));
    for name in ["", "a b", "zoë", "a/b", "a\u{200b}b", &"x".repeat(25)] {
        assert_eq!(chat.sign_in(name, [9; 32]), Err(SignInRefusal::Name), "{name:?}");
    }
    for at in 3..ACCOUNTS_MAX {
        chat.sign_in(&format!("p{at}"), [9; 32]).unwrap();
    }
    assert_eq!(chat.sign_in("late", [9; 32]), Err(SignInRefusal::Full));
    assert!(chat.sign_in("Ann", [1; 32]).is_ok(), "those that are there come in");
}

#[test]
fn a_post_is_published_under_the_name_of_its_account() {
    let mut chat = chat();
    let out = ask(&mut chat, "bob", NOW, &post("1", "channel/general", " hi @Cid, @nobody a@ann "));
    let topics: Vec<&str> = out.iter().map(|(topic, _)| &**topic).collect();
    assert_eq!(topics, ["channel/general", "account/cid", "marks/bob", "account/bob"]);
    let expected = json!({"type": "post", "id": 1, "by": "bob", "name": "Bob",
        "text": "hi @Cid, @nobody a@ann", "mentions": ["cid"], "request": "1"});
    assert_eq!(out[0].1, expected);
    assert_eq!(out[3].1, json!({"type": "result", "request": "1", "refused": null}));
    // Once more, as after a lost connection.
    let again = ask(&mut chat, "bob", NOW, &post("1", "channel/general", "hi"));
    assert_eq!(refused(&again), "done");
}

#[test]
fn what_breaks_a_rule_is_refused() {
    let mut chat = chat();
    let long = "x".repeat(TEXT_CHARS_MAX + 1);
    let cases = [
        (post("1", "channel/none", "hi"), "NoPlace"),
        (post("2", "dm/bob/none", "hi"), "NoPlace"),
        (post("3", "dm/ann/cid", "hi"), "NoPlace"),
        (post("4", "dm/bob/ann", "hi"), "NoPlace"),
        (post("5", "account/ann", "hi"), "NoPlace"),
        (post("6", "channel/general", " \u{7} "), "Empty"),
        (post("7", "channel/general", &long), "TooLong"),
        (post("", "channel/general", "hi"), "Malformed"),
        (json!({"request": "8", "do": "fly"}), "Malformed"),
        (json!([1]), "Malformed"),
        (json!({"request": "9", "do": "mute", "account": "cid", "minutes": 5}), "NotModerator"),
        (json!({"request": "10", "do": "create", "channel": "news"}), "NotModerator"),
        (
            json!({"request": "11", "do": "remove", "place": "channel/general", "id": 1}),
            "NoMessage",
        ),
    ];
    for (request, code) in cases {
        assert_eq!(refused(&ask(&mut chat, "bob", NOW, &request)), code, "{request}");
    }
    assert!(ask(&mut chat, "nobody", NOW, &post("1", "channel/general", "hi")).is_empty());
}

#[test]
fn an_account_has_a_rate() {
    let mut chat = chat();
    let mut codes = Vec::new();
    for at in 0..25 {
        let out = ask(&mut chat, "bob", NOW, &post(&format!("r{at}"), "channel/general", "hi"));
        codes.push(out.last().unwrap().1["refused"]["code"] == "TooFast");
    }
    assert_eq!(codes.iter().filter(|it| !**it).count(), 20);
    let later = ask(&mut chat, "bob", NOW + 600, &post("later", "channel/general", "hi"));
    assert_eq!(later.len(), 3);
}

#[test]
fn moderators_remove_and_mute_and_others_remove_their_own() {
    let mut chat = chat();
    ask(&mut chat, "bob", NOW, &post("1", "channel/general", "one"));
    ask(&mut chat, "ann", NOW, &post("2", "channel/general", "two"));
    let remove = |id, number: u64| json!({"request": id, "do": "remove", "place": "channel/general", "id": number});
    assert_eq!(refused(&ask(&mut chat, "bob", NOW, &remove("3", 2))), "NotYours");
    let out = ask(&mut chat, "ann", NOW, &remove("4", 1));
    assert_eq!(
        out[0].1,
        json!({"type": "removed", "id": 1, "by": "ann", "request": "4", "last": 2})
    );
    assert_eq!(refused(&ask(&mut chat, "ann", NOW, &remove("5", 1))), "NoMessage");
    let mute = |id, minutes: u32| json!({"request": id, "do": "mute", "account": "bob", "minutes": minutes});
    let out = ask(&mut chat, "ann", NOW, &mute("6", 2));
    assert_eq!(out[0], ("mutes".to_owned(), json!(NOW + 120_000)));
    for place in ["channel/general", "dm/ann/bob"] {
        let out = ask(&mut chat, "bob", NOW + 119_000, &post(place, place, "hi"));
        assert_eq!(refused(&out), "Muted");
    }
    assert_eq!(ask(&mut chat, "bob", NOW + 120_000, &post("8", "channel/general", "hi")).len(), 3);
    ask(&mut chat, "ann", NOW, &mute("9", 60));
    let now_ms = NOW + 180_000;
    ask(&mut chat, "ann", NOW, &mute("10", 0));
    assert_eq!(ask(&mut chat, "bob", now_ms, &post("11", "channel/general", "hi")).len(), 3);
}

#[test]
fn direct_messages_are_of_two_and_not_for_moderators() {
    let mut chat = chat();
    let out = ask(&mut chat, "cid", NOW, &post("1", "dm/bob/cid", "hi @ann @bob"));
    let topics: Vec<&str> = out.iter().map(|(topic, _)| &**topic).collect();
    assert_eq!(topics, ["dm/bob/cid", "account/bob", "marks/cid", "account/cid"]);
    let remove = json!({"request": "2", "do": "remove", "place": "dm/bob/cid", "id": 1});
    assert_eq!(refused(&ask(&mut chat, "ann", NOW, &remove)), "NoPlace");
    assert_eq!(refused(&ask(&mut chat, "bob", NOW, &remove)), "NotYours");
}

#[test]
fn marks_go_forward_to_what_is_there() {
    let mut chat = chat();
    for at in 0..5 {
        ask(&mut chat, "bob", NOW, &post(&at.to_string(), "channel/general", "hi"));
    }
    let mut read = |id: u64| {
        let request = json!({"request": "m", "do": "read", "place": "channel/general", "id": id});
        ask(&mut chat, "cid", NOW, &request).len()
    };
    assert_eq!([read(3), read(3), read(2), read(6), read(5)], [1, 0, 0, 0, 1]);
}

#[test]
fn what_was_published_makes_the_same_chat_again() {
    let (mut first, mut published) = (Chat::new(["ann".to_owned()]), Vec::new());
    published.extend(first.begin());
    for (name, key) in [("Ann", 1), ("Bob", 2)] {
        published.extend(first.sign_in(name, [key; 32]).unwrap().1);
    }
    let requests = [
        ("bob", post("1", "channel/general", "one")),
        ("bob", post("2", "dm/ann/bob", "two")),
        ("ann", json!({"request": "3", "do": "remove", "place": "channel/general", "id": 1})),
        ("ann", json!({"request": "4", "do": "mute", "account": "bob", "minutes": 5})),
        ("bob", post("5", "channel/general", "three")),
    ];
    for (account, request) in &requests {
        published.extend(first.handle_request(account, request.to_string().as_bytes(), NOW));
    }
    let mut second = Chat::new(["ann".to_owned()]);
    published.sort_by_key(|it| it.topic != "accounts");
    published.iter().for_each(|it| second.restore(&it.topic, &it.key, &it.payload));
    assert_eq!(second.sign_in("Bob", [9; 32]), Err(SignInRefusal::Taken));
    // None is done twice, and the one that was refused is refused once more.
    for (account, request) in &requests {
        let again = ask(&mut second, account, NOW, request);
        assert_eq!(refused(&again) == "Muted", request["request"] == "5", "{again:?}");
    }
    assert_eq!(refused(&ask(&mut second, "bob", NOW, &post("6", "channel/general", "x"))), "Muted");
    let out = ask(&mut second, "ann", NOW, &post("7", "channel/general", "four"));
    assert_eq!(out[0].1["id"], 2, "ids go on");
}

#[test]
fn a_request_that_was_published_and_not_answered_is_not_done_twice() {
    let mut first = chat();
    let out = first.handle_request(
        "bob",
        post("1", "channel/general", "one").to_string().as_bytes(),
        NOW,
    );
    let mut second = chat();
    second.restore(&out[0].topic, &out[0].key, &out[0].payload);
    assert_eq!(
        refused(&ask(&mut second, "bob", NOW, &post("1", "channel/general", "one"))),
        "done"
    );
}

fn any_request() -> impl Strategy<Value = Vec<u8>> {
    let place = prop::sample::select(vec![
        "channel/general",
        "channel/x",
        "dm/ann/bob",
        "dm/bob/cid",
        "dm/x/x",
        "",
    ]);
    let account = prop::sample::select(vec!["ann", "bob", "cid", "dan"]);
    let wish = (0..5, place, account, any::<String>(), 0_u64..6, 0_u32..3);
    let valid = wish.prop_map(|(kind, place, account, text, id, minutes)| match kind {
        0 => json!({"do": "remove", "place": place, "id": id}),
        1 => json!({"do": "mute", "account": account, "minutes": minutes}),
        2 => json!({"do": "read", "place": place, "id": id}),
        3 => json!({"do": "create", "channel": "x"}),
        _ => json!({"do": "post", "place": place, "text": text}),
    });
    let valid = (valid, 0_u32..200).prop_map(|(mut wish, request)| {
        wish["request"] = request.to_string().into();
        wish.to_string().into_bytes()
    });
    prop_oneof![9 => valid, 1 => prop::collection::vec(any::<u8>(), 0..60)]
}

proptest! {
    #[test]
    fn no_requests_break_the_rules(
        requests in prop::collection::vec((prop::sample::select(vec!["ann", "bob", "cid"]), any_request(), 0_u64..90_000), 0..120)
    ) {
        let mut chat = chat();
        let mut now_ms = NOW;
        let mut muted = BTreeMap::<String, u64>::new();
        let mut posts = BTreeMap::<(String, u64), String>::new();
        let mut last = BTreeMap::<String, u64>::new();
        for (account, bytes, wait_ms) in requests {
            now_ms += wait_ms;
            for it in chat.handle_request(account, &bytes, now_ms) {
                let value: Value = serde_json::from_slice(&it.payload).unwrap();
                if it.topic == "mutes" {
                    prop_assert_eq!(account, "ann");
                    muted.insert(it.key.clone(), value.as_u64().unwrap());
                }
                let id = value["id"].as_u64().unwrap_or_default();
                if value["type"] == "post" {
                    prop_assert!(muted.get(account).is_none_or(|until| *until <= now_ms));
                    prop_assert_eq!(&value["by"], account);
                    prop_assert_eq!(id, last.get(&it.topic).copied().unwrap_or_default() + 1);
                    prop_assert!(!it.topic.starts_with("dm/") || it.topic.contains(account));
                    last.insert(it.topic.clone(), id);
                    posts.insert((it.topic, id), account.to_owned());
                } else if value["type"] == "removed" {
                    let author = posts.remove(&(it.topic.clone(), id));
                    let may = account == "ann" && it.topic.starts_with("channel/");
                    prop_assert!(author.is_some_and(|author| author == account || may));
                }
            }
        }
        prop_assert!(chat.accounts.values().all(|it| it.handled.len() <= REQUESTS_MAX));
    }
}
