//! What a record says of each attempt: why it was made, what became of it, and why there was no other.

use std::time::Duration;

use super::cause::words;
use super::{Cause, Phase};

words! {
    /// Why an attempt was made.
    Why {
        /// The request came.
        First = "first",
        /// The one before had failed, or was answered with a status of `retry.statuses`.
        Repeat = "repeat",
        /// Another took longer than is usual, or its endpoint is proven dead.
        Race = "race",
        /// Another took long, and the pool hedges.
        Hedge = "hedge",
    }
}

words! {
    /// Why a request that had not ended well was not sent once more.
    NotRepeated {
        /// Neither its method nor an `Idempotency-Key` that the route accepts says that twice does no harm.
        NotIdempotent = "not_idempotent",
        /// The pool's bucket of repetitions was empty.
        Budget = "budget",
        /// `retry.attempts` were made.
        Attempts = "attempts",
        /// The server had begun to answer, or the client had received something.
        ResponseBegun = "response_begun",
        /// More of its content had been sent than `retry.replay_buffer` keeps.
        BodyTooLarge = "body_too_large",
        /// A limit on the time of the whole ran out.
        Deadline = "deadline",
        /// Nobody was left to ask.
        NoEndpoint = "no_endpoint",
    }
}

/// What became of an attempt.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It gave the exchange its answer.
    Ok,
    /// It was answered with this status, and the request was sent elsewhere all the same.
    Discarded(u16),
    /// It failed.
    Failed(Cause),
    /// It was given up, because another was quicker or the client left.
    Cancelled,
}

impl Outcome {
    /// The word for it in records: for one that failed the cause's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Discarded(_) => "discarded",
            Self::Failed(cause) => cause.name(),
            Self::Cancelled => "cancelled",
        }
    }

    /// How far it had come; `None` where it was answered, or nobody asked.
    #[must_use]
    pub const fn phase(self) -> Option<Phase> {
        match self {
            Self::Failed(cause) => Some(cause.phase()),
            Self::Ok | Self::Discarded(_) | Self::Cancelled => None,
        }
    }
}

/// One endpoint that was tried.
#[derive(Copy, Clone, Debug)]
pub struct Attempt<'a> {
    /// Its id within the pool.
    pub endpoint: &'a str,
    /// Why it was.
    pub why: Why,
    /// What became of it.
    pub outcome: Outcome,
    /// From the pick to the response head, or to the end.
    pub took: Duration,
}
