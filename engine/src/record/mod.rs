//! Saying why: the record of each exchange, the catalogue of causes, the access log, and the counters.
//!
//! A [`Record`] borrows all it needs at the end of an exchange; [`LogBuffer::push`] writes it as one line into its thread's buffer, and a
//! thread of its own takes full buffers to the file ([`AccessLog`]). Counting is relaxed atomics throughout.

use std::time::Duration;

pub mod attempt;
pub mod cause;
pub mod counters;
mod digits;
pub mod histogram;
mod json;
pub mod log;
mod sink;
mod stamp;
mod text;

pub use attempt::{Attempt, NotRepeated, Outcome, Why};
pub use cause::{Cause, Origin, Phase};
pub use counters::{CauseCounters, CauseCounts, StatusCounters, StatusCounts};
pub(crate) use digits::push_integer;
pub use histogram::{Histogram, HistogramSnapshot};
pub use json::escape_json;
pub use log::{AccessLog, Format, LogBuffer};
pub use stamp::WallTime;

/// One exchange as it ended. Bytes are as they came from the network, of any content; what was never known is empty.
#[derive(Copy, Clone, Debug)]
pub struct Record<'a> {
    /// When the request head was complete.
    pub time: WallTime,
    /// The request id.
    pub id: &'a [u8],
    /// The client's address, `client_ip` of the forwarding rules.
    pub client: &'a str,
    /// Empty where the head could not be read.
    pub method: &'a [u8],
    /// The request target; empty where the head could not be read.
    pub target: &'a [u8],
    /// The host that the routes saw; empty where there was none.
    pub host: &'a [u8],
    /// What was sent, or 499 for a client that left; 0 where nothing was sent at all.
    pub status: u16,
    /// Bytes of the request's content that were passed on.
    pub bytes_in: u64,
    /// Bytes of the response's content that were sent.
    pub bytes_out: u64,
    /// From the end of the request head to the end of the exchange.
    pub duration: Duration,
    /// The id of the route that matched.
    pub route: Option<&'a str>,
    /// The pool of that route.
    pub pool: Option<&'a str>,
    /// Why it did not end well; `None` when it did.
    pub cause: Option<Cause>,
    /// Why the request was not sent once more; `None` where it ended well.
    pub not_repeated: Option<NotRepeated>,
    /// In the order in which they ended; the last one gave the response, if there was one.
    pub attempts: &'a [Attempt<'a>],
}

impl Record<'_> {
    /// Who ended the exchange: the cause says so; without one it was the server, or this gateway where none was asked.
    #[must_use]
    pub fn origin(&self) -> Origin {
        match self.cause {
            Some(cause) => cause.origin(),
            None if self.attempts.is_empty() => Origin::Gateway,
            None => Origin::Upstream,
        }
    }
}

#[cfg(test)]
pub(crate) mod examples;
