//! Score boards, for any page.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode, Uri, Version};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};
use tickwire_shared::{ScoreBoard, Simulation};
use tokio::sync::OnceCell;

use super::{HttpPeer, stats};
use crate::connection::{ScoreRefusal, ServerState};
use crate::store::{ScorePage, ScorePeriod, ScoreQuery, ScoreRange};

/// Lines of an answer, if the request does not say.
const LINES: u32 = 10;
/// Most lines of an answer; around an account, on each side of it.
const LINES_MAX: u32 = 100;
/// For how long a look is shared.
const KEPT: Duration = Duration::from_secs(1);
/// Most looks that are kept.
const KEPT_MAX: usize = 64;

/// The state of this route.
pub(super) struct ScoreSource<S: Simulation> {
    host: Arc<ServerState<S>>,
    kept: Mutex<KeptLooks>,
}

impl<S: Simulation> ScoreSource<S> {
    pub(super) fn new(host: &Arc<ServerState<S>>) -> Arc<Self> {
        Arc::new(ScoreSource { host: Arc::clone(host), kept: Mutex::default() })
    }
}

/// A look at a board, and its answer once that is there.
type Look = OnceCell<Result<ScorePage, ScoreRefusal>>;

/// Looks of the last second: many pages ask for the same, also while it is looked up.
#[derive(Debug, Default)]
struct KeptLooks {
    looks: HashMap<ScoreQuery, (Instant, Arc<Look>)>,
}

impl KeptLooks {
    /// The look that goes on or is over, or a new one.
    fn find(&mut self, query: &ScoreQuery, now: Instant) -> Arc<Look> {
        self.looks.retain(|_, (since, _)| now.saturating_duration_since(*since) < KEPT);
        if let Some((_, look)) = self.looks.get(query) {
            return Arc::clone(look);
        }
        let look = Arc::default();
        if self.looks.len() < KEPT_MAX {
            self.looks.insert(query.clone(), (now, Arc::clone(&look)));
        }
        look
    }

    /// Whoever asks from now on looks again.
    fn forget(&mut self, query: &ScoreQuery, refused: &Arc<Look>) {
        if self.looks.get(query).is_some_and(|(_, look)| Arc::ptr_eq(look, refused)) {
            self.looks.remove(query);
        }
    }
}

/// `GET /scores.json?board=kills&period=day&top=10`. Any page may read it. Accounts are for programs on this machine alone:
/// `around=ACCOUNT`, and each line's `account`.
pub(super) async fn show<S: Simulation>(
    State(source): State<Arc<ScoreSource<S>>>,
    Extension(HttpPeer(peer)): Extension<HttpPeer>,
    version: Version,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let is_near = stats::is_near(peer, &headers, version)
        && !headers.contains_key(ORIGIN)
        && source.host.config.stats;
    let query = match parse(uri.query().unwrap_or_default(), S::SCORE_BOARDS) {
        Ok(query) => query,
        Err((status, text)) => {
            let open = [(ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
            return (status, open, format!("{text}\n")).into_response();
        }
    };
    if matches!(query.range, ScoreRange::Around { .. }) && !is_near {
        let text = "around is for programs on the server's own machine\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let kept = || source.kept.lock().unwrap_or_else(PoisonError::into_inner);
    let look = kept().find(&query, Instant::now());
    match look.get_or_init(|| source.host.find_scores(query.clone())).await {
        Ok(page) => {
            let headers = [(ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (CACHE_CONTROL, "no-cache")];
            (headers, Json(shown(&query, page, is_near))).into_response()
        }
        Err(refusal) => {
            kept().forget(&query, &look);
            told(*refusal)
        }
    }
}

fn told(refusal: ScoreRefusal) -> Response {
    let open = (ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    match refusal {
        ScoreRefusal::NoStore => {
            let text = "there is no store; start the server with --store DIR\n";
            (StatusCode::NOT_FOUND, [open], text).into_response()
        }
        ScoreRefusal::Busy => {
            let text = "scores cannot be read now; ask again in a second\n";
            let headers = [open, (RETRY_AFTER, "1")];
            (StatusCode::SERVICE_UNAVAILABLE, headers, text).into_response()
        }
    }
}

fn shown(query: &ScoreQuery, page: &ScorePage, with_accounts: bool) -> Value {
    let lines = page.lines.iter().map(|line| {
        let mut shown = json!({
            "rank": line.rank,
            "name": line.name,
            "score": line.score,
            "since_ms": line.since_ms,
        });
        if with_accounts {
            shown["account"] = line.account.as_str().into();
        }
        shown
    });
    json!({
        "board": query.board.name(),
        "period": query.period.word(),
        "ago": query.ago,
        "accounts": page.accounts,
        "scores": lines.collect::<Vec<_>>(),
    })
}

/// What a request asks for.
///
/// # Errors
/// The status and the mistake.
fn parse(query: &str, boards: &[ScoreBoard]) -> Result<ScoreQuery, (StatusCode, String)> {
    let wrong = |text: String| (StatusCode::BAD_REQUEST, text);
    let (mut board, mut period, mut ago) = (None, ScorePeriod::All, 0);
    let (mut top, mut from, mut around) = (LINES, 0, None);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let number = |most: u32| {
            let number = value.parse().ok().filter(|number| *number <= most);
            number.ok_or_else(|| wrong(format!("{key} is a number of up to {most}")))
        };
        match &*key {
            "board" => {
                let named = boards.iter().find(|board| board.name() == value);
                let names: Vec<&str> = boards.iter().map(|board| board.name()).collect();
                let missing = || {
                    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                    (StatusCode::NOT_FOUND, format!("no such board; this game has: {names}"))
                };
                board = Some(*named.ok_or_else(missing)?);
            }
            "period" => {
                let named = ScorePeriod::of_word(&value);
                period =
                    named.ok_or_else(|| wrong("period is all, day, week or month".to_owned()))?;
            }
            "ago" => ago = number(u32::MAX)?,
            "top" => top = number(LINES_MAX)?,
            "from" => from = number(u32::MAX)?,
            "around" => around = Some(value.into_owned()),
            _ => {
                let text = "give board, period, ago, top, from or around";
                return Err(wrong(text.to_owned()));
            }
        }
    }
    let board = board.ok_or_else(|| wrong("name a board: /scores.json?board=NAME".to_owned()))?;
    let range = match around {
        Some(account) => ScoreRange::Around { account, count: top },
        None => ScoreRange::Top { from, count: top },
    };
    Ok(ScoreQuery { board, period, ago, range })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOARDS: &[ScoreBoard] = &[ScoreBoard::sum("kills"), ScoreBoard::best("lap")];

    #[test]
    fn a_request_is_read_and_its_mistakes_are_named() {
        let around =
            |account: &str, count| ScoreRange::Around { account: account.to_owned(), count };
        for (query, period, ago, range) in [
            ("board=kills", ScorePeriod::All, 0, ScoreRange::Top { from: 0, count: 10 }),
            (
                "board=kills&period=day&ago=1&top=3&from=7",
                ScorePeriod::Day,
                1,
                ScoreRange::Top { from: 7, count: 3 },
            ),
            ("board=kills&around=a%26b&top=2", ScorePeriod::All, 0, around("a&b", 2)),
        ] {
            let board = BOARDS[0];
            assert_eq!(parse(query, BOARDS), Ok(ScoreQuery { board, period, ago, range }));
        }
        for (query, status, part) in [
            ("", 400, "name a board"),
            ("board=laps", 404, "this game has: kills, lap"),
            ("board=lap&period=year", 400, "all, day, week or month"),
            ("board=lap&top=101", 400, "top is a number of up to 100"),
            ("board=lap&from=-1", 400, "from is a number"),
            ("board=lap&limit=5", 400, "give board,"),
        ] {
            let (found, text) = parse(query, BOARDS).unwrap_err();
            assert!(found == status && text.contains(part), "{query}: {found} {text}");
        }
    }

    #[test]
    fn looks_are_shared_for_a_second_and_their_number_is_bounded() {
        let (mut kept, now) = (KeptLooks::default(), Instant::now());
        let query = |from| ScoreQuery {
            board: BOARDS[0],
            period: ScorePeriod::All,
            ago: 0,
            range: ScoreRange::Top { from, count: 1 },
        };
        let looks: Vec<_> = (0..100).map(|from| kept.find(&query(from), now)).collect();
        assert_eq!(kept.looks.len(), KEPT_MAX);
        let mut is_shared = |from: u32, at: Instant| {
            Arc::ptr_eq(&looks[from as usize], &kept.find(&query(from), at))
        };
        assert!(is_shared(0, now) && is_shared(63, now) && !is_shared(99, now));
        let last = now + KEPT - Duration::from_millis(1);
        assert!(is_shared(0, last) && !is_shared(0, now + KEPT));
        assert_eq!(kept.looks.len(), 1);
        // One that was refused is no answer for those who ask later.
        let look = kept.find(&query(0), now + KEPT);
        kept.forget(&query(0), &looks[0]);
        assert_eq!(kept.looks.len(), 1, "another look");
        kept.forget(&query(0), &look);
        assert_eq!(kept.looks.len(), 0);
    }
}
