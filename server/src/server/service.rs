//! The server on the driver's thread: admission, handshakes, and the rooms' output.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tickwire_shared::Simulation;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::admission::{Admission, AdmissionDecision};
use crate::connection::{self, Handshake, ServerState};
use crate::scheduler::NetworkQueue;
use crate::transport::{
    ConnectDecision, Connection, ConnectionError, EstablishError, Origins, Outbound, Service,
    TransportSession,
};

/// Decides on connections, and sends the rooms' output.
pub(super) struct ServerService<S: Simulation> {
    host: Arc<ServerState<S>>,
    outboxes: Vec<Arc<NetworkQueue<S::Input>>>,
    admission: Arc<Admission>,
    origins: Arc<Origins>,
    runtime: Handle,
}

impl<S: Simulation> ServerService<S> {
    /// Called on the runtime that will serve the sessions.
    pub(super) fn new(
        host: &Arc<ServerState<S>>,
        admission: Arc<Admission>,
        origins: Arc<Origins>,
    ) -> Self {
        ServerService {
            outboxes: host.rooms.scheduler().outboxes(),
            admission,
            origins,
            runtime: Handle::current(),
            host: Arc::clone(host),
        }
    }
}

impl<S: Simulation> Service for ServerService<S> {
    fn knock(&mut self, address: IpAddr, proven: bool) -> ConnectDecision {
        match self.admission.judge(address, proven) {
            AdmissionDecision::Admit(permit) => {
                let deadline = Instant::now() + self.host.config.handshake_time();
                let hello = Handshake { deadline, _permit: permit };
                let (host, origins) = (Arc::clone(&self.host), Arc::clone(&self.origins));
                let runtime = self.runtime.clone();
                ConnectDecision::Admit(Box::new(move |address, connection| {
                    runtime.spawn(establish(host, address, connection, origins, hello));
                }))
            }
            AdmissionDecision::Retry => {
                self.host.counters.handshakes_retried.increment();
                ConnectDecision::Retry
            }
            AdmissionDecision::Ignore => {
                self.host.counters.handshakes_ignored.increment();
                ConnectDecision::Ignore
            }
        }
    }

    fn fail(&mut self, address: SocketAddr, error: &ConnectionError) {
        // Anyone can make these, from any address, with a packet each: they are counted.
        self.host.counters.handshakes_failed.increment();
        tracing::debug!(%address, %error, "no connection");
    }

    fn count_dropped(&mut self, packets: u64) {
        self.host.counters.handshake_packets_dropped.add(packets);
    }

    fn count_receive_failure(&mut self) {
        self.host.counters.udp_receive_failures.increment();
    }

    fn count(&mut self, connections: usize) {
        self.host.quic_connections.store(connections, Ordering::Relaxed);
    }

    fn deliver(&mut self, outbound: &mut Outbound) {
        for outbox in &self.outboxes {
            self.host.deliver(outbox, &mut |session: &TransportSession, datagram: Bytes| {
                session.send_datagram(outbound, datagram)
            });
        }
    }
}

/// Does one handshake and serves its session.
async fn establish<S: Simulation>(
    host: Arc<ServerState<S>>,
    address: SocketAddr,
    connection: Connection,
    origins: Arc<Origins>,
    hello: Handshake,
) {
    let session = TransportSession::establish(connection, &origins, &host.config);
    match tokio::time::timeout_at(hello.deadline, session).await {
        Ok(Ok(session)) => connection::serve(host, session, hello).await,
        Ok(Err(error)) => {
            host.counters.handshakes_failed.increment();
            if let EstablishError::Origin { origin } = error {
                host.counters.origins_refused.increment();
                return origins.warn_of(&origin);
            }
            tracing::info!(%address, %error, "no session");
        }
        Err(_) => {
            host.counters.handshakes_failed.increment();
            tracing::info!(%address, "no session: the handshake took too long");
        }
    }
}
