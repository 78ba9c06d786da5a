//! The hello, first frame of a session: it identifies the client. Nothing changes before all of it is valid.

use std::sync::Arc;

use tickwire_shared::control::{ClientFrame, CloseCode, Redacted, ServerFrame};
use tickwire_shared::schema::Schema;
use tickwire_shared::{Account, PlayerId, Simulation};
use tokio::time::{Instant, timeout_at};

use super::link::truncate;
use super::restored::leave_seat;
use super::{ClientLink, ServerState, SessionEnd, SessionPermit, SessionScope};
use crate::guard::guarded_future;
use crate::identity::{AccountPermit, AuthRefusal, Credentials, Identity, TOKEN_BYTES_MAX};
use crate::sanctions::SanctionSubject;

/// Smallest usable datagram size: every QUIC path carries larger ones.
const DATAGRAM_BYTES_MIN: usize = 200;
/// Bytes of a client's name that are logged.
const CLIENT_NAME_BYTES_MAX: usize = 64;

/// Answers the first frame by `deadline`, and takes a place on the server for the session.
pub(super) async fn greet<S: Simulation>(
    host: &Arc<ServerState<S>>,
    link: &ClientLink<S::Input>,
    session: &mut SessionScope<S>,
    (frame, deadline): (ClientFrame, Instant),
) -> Result<(), SessionEnd> {
    let ClientFrame::Hello { mut client, mut schema, resumable, token } = frame else {
        return Err(CloseCode::TooEarly.into());
    };
    if let Some(schema) = &mut schema {
        // The server's model is used; the client's is ignored.
        schema.model.clear();
    }
    check_schema(&host.schema, schema.as_ref())?;
    let transport = Arc::clone(&link.transport());
    if transport.datagram_bytes_max() < DATAGRAM_BYTES_MIN {
        return Err(CloseCode::NoDatagrams.into());
    }
    let address = transport.remote_address();
    let place = SessionPermit::take(host, address.ip())?;
    let identified = timeout_at(deadline, identify(host, link, &token)).await;
    let (identity, account) = identified
        .unwrap_or_else(|_| Err(CloseCode::AuthUnavailable.into()))
        .inspect_err(|end| {
            host.counters.sessions_unauthenticated.increment();
            tracing::info!(%address, code = ?end.code, text = end.text, "player not let in");
        })?;
    (session.permit, session.account) = (Some(place), account);
    truncate(&mut client, CLIENT_NAME_BYTES_MAX);
    tracing::info!(
        player = link.player.0,
        client,
        account = identity.account.as_ref().map(|account| account.id.as_str()),
        transport = transport.transport_name(),
        %address,
        "session started"
    );
    link.set_identity(identity);
    let resume_grace_ms = host.config.resume_grace_ms;
    let resume = (resumable && resume_grace_ms > 0)
        .then(|| link.allow_resume(|| host.secrets.secret_of(link.player)));
    link.greet();
    link.send_control(ServerFrame::Welcome {
        server: concat!("tickwire-server ", env!("CARGO_PKG_VERSION")).to_owned(),
        player: link.player,
        schema: host.schema.clone(),
        resume,
        resume_grace_ms,
        run: host.run,
    });
    link.welcome();
    Ok(())
}

fn check_schema(ours: &Schema, theirs: Option<&Schema>) -> Result<(), SessionEnd> {
    let Some(theirs) = theirs else { return Ok(()) };
    let checked = theirs.validate().and_then(|()| ours.accepts(theirs));
    checked.map_err(|error| SessionEnd::new(CloseCode::SchemaMismatch, error.to_string()))
}

/// Identifies the client, and takes its account's one session.
async fn identify<S: Simulation>(
    host: &Arc<ServerState<S>>,
    link: &ClientLink<S::Input>,
    token: &Redacted,
) -> Result<(Identity, Option<AccountPermit>), SessionEnd> {
    if token.as_str().len() > TOKEN_BYTES_MAX {
        let text = crate::identity::TokenError::TooLong.to_string();
        return Err(SessionEnd::new(CloseCode::TokenInvalid, text));
    }
    let shown = Credentials {
        token: (!token.is_empty()).then_some(token),
        address: link.transport().remote_address().ip(),
    };
    let address = shown.address;
    host.check_ban(SanctionSubject { account: None, name: None, address })?;
    let authenticated = match host.reserved_identity(token) {
        Some(reserved) => reserved,
        None => authenticate(host, link, shown).await,
    };
    let identity = authenticated.map_err(|refusal| SessionEnd::new(refusal.code, refusal.text))?;
    if let Some(Account { id, .. }) = &identity.account {
        host.check_ban(SanctionSubject { account: Some(id), name: None, address })?;
    }
    let account = match &identity.account {
        Some(account) => Some(take_account(host, &account.id, link.player).await?),
        None => None,
    };
    Ok((identity, account))
}

/// Asks the server's authenticator. One that panics refuses this player alone.
async fn authenticate<S: Simulation>(
    host: &ServerState<S>,
    link: &ClientLink<S::Input>,
    shown: Credentials<'_>,
) -> Result<Identity, AuthRefusal> {
    let authenticator = host.authenticator();
    let authenticated = guarded_future(|| authenticator.authenticate_boxed(shown)).await;
    authenticated.unwrap_or_else(|| {
        tracing::error!(player = link.player.0, "the authenticator failed: a player is not let in");
        Err(CloseCode::AuthUnavailable.into())
    })
}

/// Takes the account's one session. If the newer session wins, waits until the older one has left its room.
async fn take_account<S: Simulation>(
    host: &Arc<ServerState<S>>,
    id: &str,
    player: PlayerId,
) -> Result<AccountPermit, SessionEnd> {
    loop {
        let released = host.accounts.released();
        match host.accounts.take(id, player) {
            Ok(permit) => {
                if let Some(seat) = host.restored.take_of(id) {
                    host.counters.sessions_replaced.increment();
                    leave_seat(seat, CloseCode::AccountTaken).await;
                }
                return Ok(permit);
            }
            Err(_) if !host.config.account_newer_wins => {
                return Err(CloseCode::AccountInUse.into());
            }
            Err(other) => {
                if let Some(link) = host.links.get(other).filter(|link| !link.is_ending()) {
                    host.counters.sessions_replaced.increment();
                    link.end(CloseCode::AccountTaken);
                }
            }
        }
        released.await;
    }
}
