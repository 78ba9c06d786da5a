//! The meaning of a request (RFC 9114, section 4.3.1; RFC 9220).

use super::fields::HeaderField;

/// The `:protocol` of a session in all drafts before draft-ietf-webtrans-http3-15.
const WEBTRANSPORT: &[u8] = b"webtransport";
/// Header names that concern one HTTP/1.1 connection (RFC 9114, section 4.2).
const OF_ONE_CONNECTION: [&[u8]; 5] =
    [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"];

/// The outcome of a well-formed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestOutcome {
    /// It requests a session.
    Session(SessionRequest),
    /// It requests something that this server does not have.
    Other(Answer),
}

/// The session that a client requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionRequest {
    /// The server's name in the request.
    pub(crate) authority: String,
    /// The page's origin; `None` if no page asks.
    pub(crate) origin: Option<String>,
}

/// An answer of only a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    FieldsTooLarge,
    NotImplemented,
}

/// The request breaks a rule of HTTP: its stream is given up without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Answer {
    /// The field lines of the answer.
    pub(super) fn fields(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Answer::Ok => &[(":status", "200")],
            Answer::BadRequest => &[(":status", "400")],
            Answer::NotFound => &[(":status", "404")],
            Answer::MethodNotAllowed => &[(":status", "405"), ("allow", "CONNECT")],
            Answer::FieldsTooLarge => &[(":status", "431")],
            Answer::NotImplemented => &[(":status", "501")],
        }
    }
}

/// Judges the field lines of a request.
pub(super) fn judge(fields: &[HeaderField]) -> Result<RequestOutcome, Malformed> {
    let mut lines = RequestFields::default();
    for (name, value) in fields {
        lines.take(name, value)?;
    }
    let method = lines.method.ok_or(Malformed)?;
    let authority = lines.authority()?;
    if method == b"CONNECT" && lines.protocol.is_none() {
        // A tunnel to another host; it names nothing else.
        let is_tunnel = lines.scheme.is_none() && lines.path.is_none() && authority.is_some();
        return if is_tunnel {
            Ok(RequestOutcome::Other(Answer::NotImplemented))
        } else {
            Err(Malformed)
        };
    }
    let (scheme, path) = (lines.scheme.ok_or(Malformed)?, lines.path.ok_or(Malformed)?);
    let whole = path.starts_with(b"/") || (method == b"OPTIONS" && path == b"*");
    let authority = authority.filter(|_| whole).ok_or(Malformed)?;
    let Some(protocol) = lines.protocol else {
        return Ok(RequestOutcome::Other(by_method(method)));
    };
    if method != b"CONNECT" {
        return Err(Malformed);
    }
    if protocol != WEBTRANSPORT {
        return Ok(RequestOutcome::Other(Answer::NotImplemented));
    }
    if scheme != b"https" {
        return Err(Malformed);
    }
    let origin = match lines.origins[..] {
        [] => None,
        [origin] => Some(text(origin)),
        _ => return Ok(RequestOutcome::Other(Answer::BadRequest)),
    };
    Ok(RequestOutcome::Session(SessionRequest { authority: text(authority), origin }))
}

/// The relevant field lines.
#[derive(Default)]
struct RequestFields<'a> {
    method: Option<&'a [u8]>,
    scheme: Option<&'a [u8]>,
    authority: Option<&'a [u8]>,
    path: Option<&'a [u8]>,
    protocol: Option<&'a [u8]>,
    hosts: Vec<&'a [u8]>,
    origins: Vec<&'a [u8]>,
    /// A line that is not a pseudo-header has come.
    is_past_pseudo: bool,
}

impl<'a> RequestFields<'a> {
    fn take(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Malformed> {
        if value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            return Err(Malformed);
        }
        if name.starts_with(b":") {
            return self.take_pseudo(name, value);
        }
        self.is_past_pseudo = true;
        if name.is_empty() || !name.iter().all(|byte| is_of_name(*byte)) {
            return Err(Malformed);
        }
        match name {
            b"te" if value != b"trailers" => return Err(Malformed),
            _ if OF_ONE_CONNECTION.contains(&name) => return Err(Malformed),
            b"host" => self.hosts.push(value),
            b"origin" => self.origins.push(value),
            _ => {}
        }
        Ok(())
    }

    fn take_pseudo(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Malformed> {
        let place = match name {
            b":method" => &mut self.method,
            b":scheme" => &mut self.scheme,
            b":authority" => &mut self.authority,
            b":path" => &mut self.path,
            b":protocol" => &mut self.protocol,
            _ => return Err(Malformed),
        };
        if self.is_past_pseudo || place.replace(value).is_some() {
            return Err(Malformed);
        }
        Ok(())
    }

    /// The server's name, from either header; if both are there they must agree.
    fn authority(&self) -> Result<Option<&'a [u8]>, Malformed> {
        let mut said = self.authority.into_iter().chain(self.hosts.iter().copied());
        let Some(first) = said.next() else { return Ok(None) };
        let one = self.hosts.len() <= 1 && said.all(|other| other == first);
        if !one || first.is_empty() || first.contains(&b'@') {
            return Err(Malformed);
        }
        Ok(Some(first))
    }
}

/// The answer by method. There are no resources, so other requests are not found or not
/// implemented.
fn by_method(method: &[u8]) -> Answer {
    match method {
        b"GET" | b"HEAD" => Answer::NotFound,
        b"POST" | b"PUT" | b"DELETE" | b"OPTIONS" | b"PATCH" | b"TRACE" => Answer::MethodNotAllowed,
        _ => Answer::NotImplemented,
    }
}

/// True if a header name may contain this character: one of a token (RFC 9110, section 5.6.2), but
/// no capital.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: [(&str, &str); 5] = [
        (":method", "CONNECT"),
        (":protocol", "webtransport"),
        (":scheme", "https"),
        (":authority", "localhost:4433"),
        (":path", "/"),
    ];

    fn judged(lines: &[(&str, &str)]) -> Result<RequestOutcome, Malformed> {
        let own = |text: &str| text.as_bytes().to_vec();
        let fields: Vec<HeaderField> =
            lines.iter().map(|(name, value)| (own(name), own(value))).collect();
        judge(&fields)
    }

    /// A valid session request, with `name` set to `value`, or left out.
    fn changed(
        name: &'static str,
        value: Option<&'static str>,
    ) -> Vec<(&'static str, &'static str)> {
        let mut lines = SESSION.to_vec();
        lines.retain(|line| line.0 != name);
        lines.extend(value.map(|value| (name, value)));
        lines
    }

    fn beside(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
        [&SESSION[..], &[(name, value)]].concat()
    }

    #[test]
    fn a_session_is_asked_for_with_whatever_else_a_browser_says() {
        let wanted = |origin: Option<&str>| {
            let (authority, origin) = ("localhost:4433".to_owned(), origin.map(str::to_owned));
            Ok(RequestOutcome::Session(SessionRequest { authority, origin }))
        };
        assert_eq!(judged(&SESSION), wanted(None));
        assert_eq!(
            judged(&beside("origin", "https://a.example")),
            wanted(Some("https://a.example"))
        );
        for (name, value) in [
            ("sec-webtransport-http3-draft02", "1"),
            ("wt-available-protocols", "\"a\", \"b\""),
            ("te", "trailers"),
            ("host", "localhost:4433"),
            ("x", "caf\u{e9}"),
        ] {
            assert_eq!(judged(&beside(name, value)), wanted(None), "{name}");
        }
        let mut by_host = changed(":authority", None);
        by_host.push(("host", "localhost:4433"));
        assert_eq!(judged(&by_host), wanted(None));
    }

    #[test]
    fn a_malformed_request_is_none() {
        for (what, lines) in [
            ("no method", changed(":method", None)),
            ("no scheme", changed(":scheme", None)),
            ("no path", changed(":path", None)),
            ("no authority", changed(":authority", None)),
            ("an empty authority", changed(":authority", Some(""))),
            ("a user in the authority", changed(":authority", Some("me@localhost"))),
            ("a path from nowhere", changed(":path", Some("x"))),
            ("no https", changed(":scheme", Some("http"))),
            ("a protocol without CONNECT", changed(":method", Some("GET"))),
            ("CONNECT in small letters", changed(":method", Some("connect"))),
            ("a tunnel with a path", changed(":protocol", None)),
            ("a pseudo-header twice", beside(":path", "/")),
            ("an unknown pseudo-header", beside(":foo", "1")),
            ("an answer's pseudo-header", beside(":status", "200")),
            ("a capital", beside("X-a", "1")),
            ("a capital origin", beside("Origin", "https://a.example")),
            ("a name with a space", beside("x a", "1")),
            ("no name", beside("", "1")),
            ("another host", beside("host", "other")),
            ("a connection's field", beside("connection", "upgrade")),
            ("te", beside("te", "gzip")),
            ("a line's end in a value", beside("x", "a\r\nb: c")),
            ("a zero in a value", beside("x", "a\0b")),
        ] {
            assert_eq!(judged(&lines), Err(Malformed), "{what}");
        }
        let mut late = vec![("x", "1")];
        late.extend(SESSION);
        assert_eq!(judged(&late), Err(Malformed), "a pseudo-header after a field");
    }

    #[test]
    fn another_request_is_answered_by_a_status() {
        let without = |method: &'static str| {
            vec![(":method", method), (":scheme", "https"), (":authority", "a"), (":path", "/")]
        };
        for (what, lines, answer) in [
            ("GET", without("GET"), Answer::NotFound),
            ("HEAD", without("HEAD"), Answer::NotFound),
            ("POST", without("POST"), Answer::MethodNotAllowed),
            ("BREW", without("BREW"), Answer::NotImplemented),
            (
                "a tunnel",
                vec![(":method", "CONNECT"), (":authority", "a:1")],
                Answer::NotImplemented,
            ),
            ("a WebSocket", changed(":protocol", Some("websocket")), Answer::NotImplemented),
            (
                "a later draft",
                changed(":protocol", Some("webtransport-h3")),
                Answer::NotImplemented,
            ),
        ] {
            assert_eq!(judged(&lines), Ok(RequestOutcome::Other(answer)), "{what}");
        }
        let mut two = beside("origin", "http://localhost");
        two.push(("origin", "https://evil.example"));
        assert_eq!(judged(&two), Ok(RequestOutcome::Other(Answer::BadRequest)));
    }
}
