//! Content on its way: what yields it, what takes it, and the pump between the two.

use std::io;
use std::task::{Context, Poll, ready};

/// Why a source will yield no more although its message is not complete.
#[derive(Debug)]
pub enum SourceError {
    /// The peer closed in the middle.
    Closed,
    /// The connection broke.
    Broken(io::Error),
    /// The framing makes no sense.
    Malformed,
    /// More than the limit allows.
    TooLarge,
}

/// Yields one message's content, framing removed.
pub trait Source {
    /// Waits until `data` is not empty or `ended` is true.
    ///
    /// # Errors
    ///
    /// See [`SourceError`].
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SourceError>>;
    /// Content that is here.
    fn data(&self) -> &[u8];
    /// Whether more follows `data` without waiting, so that small pieces may be sent together.
    fn has_more(&self) -> bool;
    /// Takes the first `count` bytes of `data` away.
    fn consume(&mut self, count: usize);
    /// Whether the content is complete and all consumed.
    fn ended(&self) -> bool;
    /// Field lines that came after the content, each ending in CRLF; known once it has ended.
    fn trailers(&self) -> &[u8];
    /// Bytes that the connection brought so far, framing included: what has grown was progress.
    fn received(&self) -> u64;
}

/// Takes one message's content and frames it.
pub trait Sink {
    /// Takes at least one byte of `data`, which is not empty; `more` promises that another call follows at once.
    ///
    /// # Errors
    ///
    /// The connection's.
    fn poll_send(&mut self, cx: &mut Context<'_>, data: &[u8], more: bool) -> Poll<io::Result<usize>>;
    /// Sends what is held back.
    ///
    /// # Errors
    ///
    /// The connection's.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Ends the message, sending all that is left.
    ///
    /// # Errors
    ///
    /// The connection's, and that the content is shorter than was declared.
    fn poll_finish(&mut self, cx: &mut Context<'_>, trailers: &[u8]) -> Poll<io::Result<()>>;
    /// Bytes that the connection took so far, framing included: what has grown was progress.
    fn sent(&self) -> u64;
}

/// Which end of a pump failed.
#[derive(Debug)]
pub enum PumpError {
    /// Reading.
    Source(SourceError),
    /// Writing.
    Sink(io::Error),
}

/// Which end of a pump is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// For content to come.
    Source,
    /// For room to send.
    Sink,
}

/// Moves one message's content from a source to a sink, with no more held than their buffers do.
#[derive(Debug)]
pub struct Pump {
    /// Bytes of content moved so far.
    pub moved: u64,
    /// What the last poll that returned `Pending` waits for.
    pub waiting: Waiting,
    done: bool,
}

impl Default for Pump {
    fn default() -> Self {
        Self { moved: 0, waiting: Waiting::Source, done: false }
    }
}

impl Pump {
    /// Whether the message is complete at the other end.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Moves what can be moved; ready when the whole message is sent.
    ///
    /// # Errors
    ///
    /// See [`PumpError`]; nothing may be moved after one.
    pub fn poll<A: Source, B: Sink>(&mut self, source: &mut A, sink: &mut B, cx: &mut Context<'_>) -> Poll<Result<(), PumpError>> {
        loop {
            if self.done {
                return Poll::Ready(Ok(()));
            }
            if !source.data().is_empty() {
                self.waiting = Waiting::Sink;
                let count = ready!(sink.poll_send(cx, source.data(), source.has_more())).map_err(PumpError::Sink)?;
                source.consume(count);
                self.moved += count as u64;
            } else if source.ended() {
                self.waiting = Waiting::Sink;
                ready!(sink.poll_finish(cx, source.trailers())).map_err(PumpError::Sink)?;
                self.done = true;
            } else {
                match source.poll_fill(cx) {
                    Poll::Ready(result) => result.map_err(PumpError::Source)?,
                    Poll::Pending => {
                        self.waiting = Waiting::Sink;
                        ready!(sink.poll_flush(cx)).map_err(PumpError::Sink)?;
                        self.waiting = Waiting::Source;
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}
