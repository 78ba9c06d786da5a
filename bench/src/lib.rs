//! Code shared by the criterion benches and `tickwire-bench`.

pub mod rooms;
