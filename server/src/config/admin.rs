//! Settings of the admin side.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::List;
use super::settings::settings;

settings! {
    /// Settings of the admin side: metrics, and what an operator may look at and change.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct AdminConfig {
        /// Address of the admin side, which has a listener of its own: 127.0.0.1:4434, for example. Without it there is none.
        listen: Option<SocketAddr> = None;
        /// File of the token that every request to it must bear: 32 to 512 printable characters. The variable
        /// `TICKWIRE_ADMIN_TOKEN` may hold the token instead.
        token_file: Option<PathBuf> = None;
        /// Further names of this machine by which requests may reach it, separated by commas.
        hosts: List = List::default();
    }
}
