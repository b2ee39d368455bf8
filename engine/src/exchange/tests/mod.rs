//! Rules of the exchange, tested between a client's connection and its servers', over pipes and under a paused clock.

mod aborts;
mod affinity;
mod attempts;
mod callables;
mod early;
mod failover;
mod framing;
mod interim;
mod journal;
mod keepalive;
mod kept;
mod limits;
mod pieces;
mod queue;
mod races;
mod repeats;
mod reports;
mod silence;
mod streams;
