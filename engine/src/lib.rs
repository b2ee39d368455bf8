//! Forebay's engine: HTTP/1.1 in, a pick, HTTP/1.1 out. It knows no Python; [`Engine`] is all that control needs of it.
//!
//! Data goes one way round: a [`SnapshotSpec`](snapshot::SnapshotSpec) comes in, is compiled ([`config`]) and swapped in for all
//! threads at once ([`server`]); connections read requests ([`h1`]) and run each as an exchange ([`exchange`]): its route ([`route`]), an
//! endpoint ([`pool`], [`balance`]), attempts ([`failover`]) over connections ([`upstream`]), and a record of it all ([`record`]).
//! Beside them run the probes ([`probe`]) that control orders.

pub mod balance;
pub mod clock;
pub mod config;
pub mod endpoint;
pub mod engine;
pub mod error;
pub mod exchange;
pub mod failover;
pub mod h1;
pub mod message;
pub mod pool;
pub mod probe;
pub mod record;
pub mod route;
pub mod server;
pub mod snapshot;
pub mod statistics;
pub mod upstream;

#[cfg(test)]
mod testing;

pub use engine::{Engine, PoolStand, StandSpec};
pub use error::{EngineError, Result};
