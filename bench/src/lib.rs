//! What the criterion benches and `tickwire-bench` both measure.

pub mod rooms;
