//! Connections to endpoints: opened, kept, moved between threads, closed.

pub mod connect;
pub mod idle;
pub mod limit;
pub mod open;
pub mod socket;
pub mod target;
