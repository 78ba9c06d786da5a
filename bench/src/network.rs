//! Bad networks: `feel` plays over them in virtual time, `proxy` puts them between real sockets. What
//! they do follows from their seeds.

mod link;
mod profile;
pub(crate) mod tcp;

pub(crate) use link::{Link, Weather};
pub(crate) use profile::Profile;
