//! Bad networks: `feel` plays over them in virtual time, `proxy` puts them between real sockets.
//! Their behaviour follows from their seeds.

mod conditions;
mod link;
mod profile;
pub(crate) mod tcp;

pub(crate) use conditions::Conditions;
pub(crate) use link::{Faults, Link, Weather};
pub(crate) use profile::Profile;
