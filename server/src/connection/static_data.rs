//! The static stream: a room's static data, loaded once by each member.

use std::sync::Arc;
use std::time::Duration;

use tickwire_shared::Simulation;
use tickwire_shared::control::{
    ClientStatic, CloseCode, STATIC_CHUNK_BYTES_MAX, ServerStatic, write_frame,
};
use tokio::time::Instant;

use super::frames::{FrameStream, NoFrame};
use super::{ClientLink, ServerState, SessionEnd};
use crate::room::StaticBlob;
use crate::transport::{SendHalf, StreamOver};

/// Bytes of a chunk: even a slow path carries them in less than a second.
const CHUNK_BYTES: usize = 8 * 1024;
const _: () = assert!(CHUNK_BYTES <= STATIC_CHUNK_BYTES_MAX);

/// Serves the static stream of one connection until it decides how the session ends.
pub(super) async fn serve<S: Simulation>(
    host: &Arc<ServerState<S>>,
    link: &Arc<ClientLink<S::Input>>,
    (frames, send): (&mut FrameStream, &mut SendHalf),
) -> SessionEnd {
    loop {
        let written = match frames.next::<ClientStatic>().await {
            Ok(ClientStatic::Have(hash)) => {
                link.static_offers.have(hash);
                continue;
            }
            Ok(ClientStatic::Fetch(hash)) => {
                // The offer was replaced or withdrawn meanwhile.
                let Some(blob) = link.static_offers.fetch(hash) else { continue };
                write(host, &blob, send).await
            }
            // The client wants no more, or the connection is over.
            Err(NoFrame::Finished | NoFrame::Lost) => std::future::pending().await,
            Err(NoFrame::GivenUp) => return SessionEnd::given_up(),
            Err(NoFrame::End(end)) => return end,
        };
        match written {
            Ok(()) => {}
            Err(StreamOver::GivenUp) => return SessionEnd::given_up(),
            Err(StreamOver::WithSession) => std::future::pending().await,
        }
    }
}

/// Writes the bytes at the rate of the settings, with snapshots in between.
async fn write<S: Simulation>(
    host: &ServerState<S>,
    StaticBlob { hash, bytes }: &StaticBlob,
    send: &mut SendHalf,
) -> Result<(), StreamOver> {
    let per_s = f64::from(host.config.static_bytes_per_s_max);
    let mut frame = Vec::new();
    let mut due = Instant::now();
    for (number, part) in bytes.chunks(CHUNK_BYTES).enumerate() {
        tokio::time::sleep_until(due).await;
        frame.clear();
        let (offset, part) = ((number * CHUNK_BYTES) as u32, part.to_vec());
        let length = part.len();
        write_frame(&ServerStatic::Chunk { hash: *hash, offset, bytes: part }, &mut frame);
        send.write_all(&frame).await?;
        host.counters.static_bytes_out.add(length as u64);
        // A stream that was held up does not catch up.
        due = due.max(Instant::now()) + Duration::from_secs_f64(length as f64 / per_s);
    }
    Ok(())
}

/// Ends the session of a client that did not answer an offer in time.
pub(super) fn end_overdue<I>(link: &ClientLink<I>) {
    if link.static_offers.are_overdue() {
        let text = "the static data of the room was not asked for in time; update the client";
        link.end(SessionEnd::new(CloseCode::TooSlow, text));
    }
}
