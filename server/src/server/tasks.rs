//! Tasks of a server that last as long as it serves.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tickwire_shared::Simulation;
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::show_certificate;
use crate::admission::Admission;
use crate::certificates::{Certificates, NextLook};
use crate::connection::ServerState;
use crate::http::{HttpTls, LiveInfo};
use crate::scheduler::Watchdog;
use crate::store::{StoreEvent, wall_ms};
use crate::transport::{self, Endpoint};

/// How often the threads are looked at that should go on, at least.
const WATCH_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often the wall clock is looked at: it may have gone on while the machine slept.
const CLOCK_LOOK: Duration = Duration::from_secs(1);

/// Once a second: what nobody uses any more.
pub(super) async fn sweep<S: Simulation>(host: Arc<ServerState<S>>, admission: Arc<Admission>) {
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    every_second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        every_second.tick().await;
        if host.is_stopping() {
            // Rooms whose members have left by the stop are not let go.
            continue;
        }
        host.rooms.sweep();
        host.sweep_restored().await;
        admission.sweep();
    }
}

/// Tells of rooms, as often as the settings say.
pub(super) async fn push_rooms<S: Simulation>(host: Arc<ServerState<S>>) {
    let pause = Duration::from_millis(u64::from(host.config.rooms_push_ms));
    loop {
        tokio::time::sleep(pause).await;
        host.push_rooms();
    }
}

/// Removes values of topics at their times.
pub(super) async fn end_values<S: Simulation>(host: Arc<ServerState<S>>) {
    loop {
        let Some(pause_ms) = host.topics.end_values(wall_ms()) else {
            host.topics.ends.notified().await;
            continue;
        };
        let pause = Duration::from_millis(pause_ms.max(1));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = host.topics.ends.notified() => {}
        }
    }
}

/// Delivers the results of the store.
pub(super) async fn deliver_stored<S: Simulation>(
    host: Arc<ServerState<S>>,
    mut stored: mpsc::Receiver<StoreEvent>,
    shown: Arc<LiveInfo>,
) {
    while let Some(event) = stored.recv().await {
        match event {
            StoreEvent::Failing => shown.is_chat_unsaved.store(true, Ordering::Relaxed),
            StoreEvent::Recovered => shown.is_chat_unsaved.store(false, Ordering::Relaxed),
            _ => {}
        }
        host.deliver_stored(event);
    }
    // The thread has ended, at the stop.
    std::future::pending::<()>().await;
}

/// Looks after the simulation threads, and tells of ticks that do not end, until a thread died: which.
pub(super) async fn look_after<S: Simulation>(host: &ServerState<S>, shown: &LiveInfo) -> String {
    let scheduler = host.rooms.scheduler();
    let long = Duration::from_millis(u64::from(host.config.watchdog_ms));
    let mut watchdog = Watchdog::default();
    // For how long each was when it was last told: again when it is twice that.
    let mut told_ms = HashMap::new();
    loop {
        tokio::time::sleep((long / 2).min(WATCH_PAUSE_MAX)).await;
        if let Some(thread) = scheduler.dead() {
            return thread;
        }
        let stalls = watchdog.look(scheduler);
        for stall in &stalls {
            let told_ms = told_ms.entry(stall.thread).or_insert(0);
            if stall.for_ms >= 2 * *told_ms {
                *told_ms = stall.for_ms;
                tracing::error!("{stall}: no room on this thread goes on");
            }
        }
        told_ms.retain(|thread, _| {
            let lasts = stalls.iter().any(|stall| stall.thread == *thread);
            if !lasts {
                tracing::warn!(thread, "the simulation thread goes on");
            }
            lasts
        });
        shown.stalls.store(Arc::new(stalls));
    }
}

/// Changes the certificate when it is time; connections that are there do not notice.
pub(super) async fn watch_certificates<S: Simulation>(
    host: Arc<ServerState<S>>,
    mut certificates: Certificates,
    (endpoint, http_tls, shown): (Arc<Endpoint>, HttpTls, Arc<LiveInfo>),
) {
    let pause = Duration::from_secs(u64::from(host.config.certs_check_s));
    let mut next = NextLook::new(pause, OffsetDateTime::now_utc());
    loop {
        tokio::time::sleep(CLOCK_LOOK).await;
        let now = OffsetDateTime::now_utc();
        if !next.is_due(CLOCK_LOOK, now) {
            continue;
        }
        match certificates.refresh(now) {
            Ok(false) => continue,
            Ok(true) => {}
            Err(error) => {
                tracing::error!(%error, "the certificate stays as it is");
                continue;
            }
        }
        match transport::server_config(&host.config, certificates.current()) {
            Ok(config) => endpoint.set_server_config(Some(config)),
            Err(error) => tracing::error!(%error, "the new certificate cannot be served"),
        }
        if let Err(error) = show_certificate(&certificates, &http_tls, &shown) {
            tracing::error!(%error, "the new certificate cannot be served over HTTP");
        }
        tracing::info!("the certificate changed");
    }
}
