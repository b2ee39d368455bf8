//! The client's side of the engine: threads, listeners, connections.

pub mod accept;
pub mod bell;
pub mod listener;
pub mod listening;
pub mod parking;
pub mod serve;
pub mod shared;
pub mod thread;
