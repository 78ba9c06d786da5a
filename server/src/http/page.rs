//! The game's page: files of a directory or of the game's binary.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::Request;
use axum::handler::HandlerWithoutStateExt as _;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, IF_RANGE, RANGE, VARY};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Router, http::Method};
use tower_http::services::ServeDir;

use super::asset::Page;
use super::files::Files;

/// Length of a bundler's hash in a file's name.
const HASH_BYTES: usize = 8;
/// For files whose name changes with their content.
const KEPT: &str = "public, max-age=31536000, immutable";
/// For all others: they must fit the running server.
const ASKED_AGAIN: &str = "no-cache";
/// The answer in place of a missing page.
const NO_PAGE: &str = "\
This is a tickwire game server, and it is running, but it has no page to show.

While you develop, the page has a server of its own: `npm run dev` in the page's folder, then open http://localhost:5173/.

To show the page here, build it (`npm run build`) and start the server again with the folder that the build wrote, which
holds index.html and is mostly called page/dist or web/dist:

    --page-dir page/dist

The examples are built and served with their pages by `cargo xtask play` and `cargo xtask play minimal`.
Native clients, and pages from elsewhere, can play on this server as it is.
";

/// The reason why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The directory of `page_dir` cannot be served.
    #[error("page_dir is wrong: {}: {error}; name the folder that holds the page's index.html", .dir.display())]
    Dir {
        /// The directory.
        dir: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// `page_policy` is not a valid header value.
    #[error(
        "page_policy is wrong: it must be one line of printable characters, as in Content-Security-Policy"
    )]
    Policy,
}

/// Checks `page_dir` at the start, so that the operator learns of a missing one, not the first
/// player.
pub(crate) fn check_dir(dir: &Path) -> Result<(), PageError> {
    let wrong = |error| PageError::Dir { dir: dir.to_owned(), error };
    std::fs::read_dir(dir).map(drop).map_err(wrong)
}

/// Serves `dir` if given, else `page`.
pub(super) fn router(dir: Option<&Path>, page: Option<Page>) -> Router {
    let files = match (dir, page) {
        (Some(dir), _) => Some(Files::Of(Arc::from(dir))),
        (None, Some(page)) => Some(Files::Held(page)),
        (None, None) => None,
    };
    let router = match files {
        Some(files) => {
            let served = ServeDir::with_backend("", files)
                .precompressed_br()
                .precompressed_gzip()
                .ignore_multi_range_requests(true)
                .fallback(not_found.into_service());
            Router::new().fallback_service(served)
        }
        None => Router::new().fallback(not_found),
    };
    router.layer(middleware::from_fn(describe))
}

/// Logs a warning if there is no page to show.
pub(super) fn warn_if_missing(dir: Option<&Path>, page: Option<Page>) {
    let is_there = match (dir, page) {
        (Some(dir), _) => dir.join("index.html").is_file(),
        (None, Some(page)) => page("index.html").is_some(),
        (None, None) => false,
    };
    if !is_there {
        tracing::warn!(
            "no page here: `npm run dev` in the page's folder shows it at http://localhost:5173/, and \
             --page-dir FOLDER shows a page that is built"
        );
    }
}

async fn not_found(method: Method, uri: Uri) -> Response {
    if !matches!(method, Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let text = if matches!(uri.path(), "/" | "/index.html") { NO_PAGE } else { "no such page\n" };
    (StatusCode::NOT_FOUND, text).into_response()
}

/// Sets how long browsers may keep an answer and how they read it.
async fn describe(mut request: Request, next: Next) -> Response {
    // A part of a file that has changed would not fit the rest: send it whole.
    if request.headers().contains_key(IF_RANGE) {
        request.headers_mut().remove(RANGE);
    }
    let names_its_content = is_named_by_content(request.uri().path());
    let mut response = next.run(request).await;
    let is_there = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let keep = if names_its_content && is_there { KEPT } else { ASKED_AGAIN };
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static(keep));
    headers.entry(VARY).or_insert(HeaderValue::from_static("accept-encoding"));
    if let Some(kind) = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok())
        && kind.starts_with("text/")
        && !kind.contains("charset")
        && let Ok(kind) = HeaderValue::from_str(&format!("{kind}; charset=utf-8"))
    {
        headers.insert(CONTENT_TYPE, kind);
    }
    response
}

/// True if a file's name contains a bundler's hash of its content: in `assets`, eight characters
/// after a hyphen, as in `assets/index-Ck3_x9Qa.js`. A word is no hash: a hash has a digit, an
/// underscore, or a capital after its first character.
fn is_named_by_content(path: &str) -> bool {
    let Some(name) = path.strip_prefix("/assets/") else { return false };
    let Some((stem, _)) = name.split_once('.') else { return false };
    let Some(at) = stem.len().checked_sub(HASH_BYTES) else { return false };
    let (before, hash) = stem.as_bytes().split_at(at);
    let is_hash =
        hash.iter().all(|letter| letter.is_ascii_alphanumeric() || b"-_".contains(letter));
    let is_no_word = hash[1..].iter().any(|letter| !letter.is_ascii_lowercase() && *letter != b'-');
    before.ends_with(b"-") && is_hash && (is_no_word || hash[0].is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::is_named_by_content;

    #[test]
    fn a_name_with_a_hash_is_told_from_one_with_a_word() {
        for (path, named) in [
            ("/assets/index-Ck3_x9Qa.js", true),
            ("/assets/core_bg-DtU-0aZq.wasm", true),
            ("/assets/font-latin-400-normal-BsKx2mQd.woff2", true),
            ("/assets/index-Ck3_x9Qa.js.map", true),
            ("/assets/a--bcd9efg.js", true),
            ("/assets/index-Ck3_x9Q.js", false),
            ("/assets/indexCk3_x9Qaa.js", false),
            ("/assets/level-tutorial.png", false),
            ("/assets/level-Tutorial.png", false),
            ("/assets/index.js", false),
            ("/assets/-Ck3_x9Qa", false),
            ("/index-Ck3_x9Qa.js", false),
            ("/", false),
        ] {
            assert_eq!(is_named_by_content(path), named, "{path}");
        }
    }
}
