//! The service manager of the system, as far as it must know of a handover: systemd's notifications (`sd_notify(3)`).

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable with the socket of the service manager.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// Says that this process listens.
pub(crate) fn tell_ready() {
    notify("READY=1\n");
}

/// Says that from now on another process is the service.
pub(super) fn tell_main(process: u32) {
    notify(&format!("MAINPID={process}\n"));
}

/// Without a service manager nothing is said. One that does not hear is no reason to stop.
fn notify(text: &str) {
    let Some(name) = std::env::var_os(VARIABLE) else { return };
    let told = address(&name).and_then(|address| {
        UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address).map(drop)
    });
    if let Err(error) = told {
        tracing::warn!(%error, "the service manager was not told: {}", text.trim_end());
    }
}

/// A path, or a name of its own kind after an `@`.
fn address(name: &OsString) -> std::io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}
