//! A request's content on its way to an endpoint, kept while it may have to be sent to another.

use std::task::{Context, Poll};

use crate::exchange::Front;
use crate::exchange::body::{Pump, PumpError, Sink, Source, SourceError};
use crate::message::{Length, RequestHead};

/// A front's content, with what was already taken of it kept for the next attempt.
#[derive(Default)]
pub struct Upload {
    /// How it goes with the present attempt.
    pub pump: Pump,
    kept: Vec<u8>,
    /// Bytes of `kept` that the present attempt has sent.
    at: usize,
    /// Bytes that may be kept.
    most: usize,
    /// More was taken than could be kept.
    lost: bool,
    /// The endpoint takes no more; its answer may still come.
    stopped: bool,
    /// Whether fields after the content pass: not where the route edits fields, which these would escape.
    trailers: bool,
}

impl Upload {
    /// For a request whose content is kept up to `most` bytes.
    #[must_use]
    pub fn new(most: usize, trailers: bool) -> Self {
        Self { most, trailers, ..Self::default() }
    }

    /// An endpoint has answered: there will be no other attempt, and what was sent is kept no longer.
    pub fn settle(&mut self) {
        self.most = 0;
        if self.at == self.kept.len() {
            self.kept = Vec::new();
            self.at = 0;
        }
    }

    /// Whether another attempt could send it from the start.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.lost
    }

    /// Whether all of it was sent.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.pump.is_done()
    }

    /// Whether there is nothing left to do with it in this attempt.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stopped || self.pump.is_done()
    }

    /// Sends no more of it to this endpoint.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Starts from its first byte again.
    pub fn rewind(&mut self) {
        self.pump = Pump::default();
        self.at = 0;
        self.stopped = false;
    }

    /// Goes on with the pump of an earlier attempt, of whose request all was sent or no more is.
    pub fn resume(&mut self, pump: Pump) {
        self.stopped = !pump.is_done();
        self.pump = pump;
        self.at = self.kept.len();
    }

    /// Moves what can be moved from the front to a back.
    ///
    /// # Errors
    ///
    /// Which side failed.
    pub fn poll<F: Front, B: Sink>(&mut self, front: &mut F, back: &mut B, cx: &mut Context<'_>) -> Poll<Result<(), PumpError>> {
        let mut pump = std::mem::take(&mut self.pump);
        let result = pump.poll(&mut Kept { front, upload: self }, back, cx);
        self.pump = pump;
        result
    }
}

/// Whether a request's content is kept to its end.
#[must_use]
pub fn is_kept(head: &RequestHead, replay_buffer: u64) -> bool {
    match head.length {
        Length::None | Length::UntilClose => true,
        Length::Known(length) => length <= replay_buffer,
        Length::Framed => false,
    }
}

/// First what was kept, then what still comes.
struct Kept<'a, F> {
    front: &'a mut F,
    upload: &'a mut Upload,
}

impl<F: Front> Kept<'_, F> {
    fn repeats(&self) -> bool {
        self.upload.at < self.upload.kept.len()
    }
}

impl<F: Front> Source for Kept<'_, F> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SourceError>> {
        self.front.poll_fill(cx)
    }

    fn data(&self) -> &[u8] {
        if self.repeats() { self.upload.kept.get(self.upload.at..).unwrap_or_default() } else { self.front.data() }
    }

    fn has_more(&self) -> bool {
        self.front.has_more()
    }

    fn consume(&mut self, count: usize) {
        if self.repeats() {
            self.upload.at += count;
            return;
        }
        let upload = &mut *self.upload;
        if upload.kept.len() + count > upload.most {
            upload.lost = true;
            upload.kept = Vec::new();
            upload.at = 0;
            upload.most = 0;
        } else if let Some(data) = self.front.data().get(..count) {
            upload.kept.extend_from_slice(data);
            upload.at = upload.kept.len();
        }
        self.front.consume(count);
    }

    fn ended(&self) -> bool {
        !self.repeats() && self.front.ended()
    }

    fn trailers(&self) -> &[u8] {
        if self.upload.trailers { self.front.trailers() } else { &[] }
    }

    fn received(&self) -> u64 {
        self.front.received()
    }
}
