//! The seam between protocols and everything else. Routing, balancing, failover and records see only what is here: a [`Front`] that a
//! request came in by, a [`Back`] that it goes out by, and a [`Transport`] that opens backs. HTTP/1 is the first of each; all pairings are
//! monomorphised, so that none pays for the others.

pub mod answer;
pub mod body;
pub mod client;
pub mod forward;
mod forwarded;
pub mod journal;
pub mod relay;
pub mod run;
pub mod tunnel;

use std::sync::Arc;
use std::task::{Context, Poll};

use crate::endpoint::Endpoint;
use crate::exchange::answer::Answer;
use crate::exchange::body::{Sink, Source};
use crate::exchange::forward::Outgoing;
use crate::message::{RequestHead, ResponseHead};
use crate::record::Cause;
use crate::route::HeaderEdits;

/// A final response as it goes to the client.
pub struct Reply<'a> {
    /// As the server sent it.
    pub head: &'a ResponseHead,
    /// The route's edits.
    pub edits: &'a HeaderEdits,
    /// The request's id, added where the server did not.
    pub id: &'a [u8],
    /// Whether the client may use the connection again.
    pub keep_alive: bool,
    /// One more `Set-Cookie`, of the gateway's own.
    pub cookie: Option<&'a str>,
    /// Whether the client sees how busy the server says it is.
    pub load_report: bool,
    /// What the pool does while all its endpoints are down, where they are.
    pub all_down: Option<&'static str>,
}

/// The client's side of one exchange: yields the request's content, takes the response's.
pub trait Front: Source + Sink {
    /// The request.
    fn request(&self) -> &RequestHead;
    /// Bytes of the response sent so far are none.
    fn is_untouched(&self) -> bool;
    /// Passes an interim response on (to clients that know them).
    fn interim(&mut self, head: &ResponseHead);
    /// Starts the final response; its content goes through the sink.
    fn respond(&mut self, reply: &Reply<'_>);
    /// Writes a whole response of the gateway's own; `keep_alive` as in [`Reply`].
    fn answer(&mut self, answer: &Answer, keep_alive: bool);
    /// Ready when the client has gone. Takes no content away, though it may read some ahead; only polled while none is awaited.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;
    /// Whether the client has gone, told while content of its is not read. Nobody is woken when it goes.
    fn has_left(&self) -> bool;
    /// From here on both directions are raw.
    fn start_tunnel(&mut self);
    /// Whether the next request may follow: both messages are complete and nobody asked to close.
    fn is_reusable(&self) -> bool;
}

/// One endpoint's side of one exchange: takes the request's content, yields the response's.
pub trait Back: Source + Sink {
    /// Writes the request's head; its content goes through the sink.
    fn begin(&mut self, request: &Outgoing<'_>);
    /// Waits for a response head, interim or final; it is then in `response`.
    ///
    /// # Errors
    ///
    /// The cause that this attempt ends with.
    fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>>;
    /// The last response head.
    fn response(&self) -> &ResponseHead;
    /// Goes on from the last head: past an interim one to the next, past a final one to its content.
    fn advance(&mut self);
    /// Whether the connection was used before, so that its failing says little of the endpoint.
    fn is_kept(&self) -> bool;
    /// Whether any byte of an answer came.
    fn has_answered(&self) -> bool;
    /// From here on both directions are raw.
    fn start_tunnel(&mut self);
    /// Whether another request may follow.
    fn is_reusable(&self) -> bool;
}

/// Opens backs to endpoints and keeps them between exchanges.
pub trait Transport {
    /// Its kind of back.
    type Back: Back;
    /// A connection to an endpoint: a new one, or unless `fresh` a kept one of which nothing is to be feared: what may go wrong with it must
    /// be repeatable.
    ///
    /// # Errors
    ///
    /// Why no connection could be had.
    fn open(&self, endpoint: &Arc<Endpoint>, fresh: bool, limits: &OpenLimits) -> impl Future<Output = Result<Self::Back, Cause>>;
    /// Takes a reusable back for the next exchange.
    fn keep(&self, endpoint: &Arc<Endpoint>, back: Self::Back);
}

/// What binds the opening of a connection.
#[derive(Debug, Clone, Copy)]
pub struct OpenLimits {
    /// How long it may take.
    pub timeout: std::time::Duration,
    /// Connections to the endpoint, over all threads.
    pub most: Option<u32>,
    /// Bytes of a response head.
    pub max_head: usize,
    /// Whether the request can be sent again if the connection turns out to be closed.
    pub repeatable: bool,
}

#[cfg(test)]
mod tests;
