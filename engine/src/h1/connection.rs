//! One HTTP/1 connection, whichever side it faces: bytes in, bytes out, and the framing of the message under way in each direction.

use std::future::Future as _;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::TcpStream;

use super::buffer::{Buffer, Buffers};
use super::decoder::Decoder;
use super::encoder::{Encoder, Framing};
use crate::exchange::body::{Sink, Source, SourceError};
use crate::message::Length;

/// Anything that bytes go through: TCP, a Unix socket, a pipe in a test.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// Whether closing destroys what is on its way and tells the peer of an error, instead of ending the stream.
    fn reset_on_close(&self, on: bool);
    /// Whether the peer has sent its last, be it that much of it was not read yet; as far as the last poll of the system showed.
    fn has_ended(&self) -> bool;
}

impl Stream for TcpStream {
    fn reset_on_close(&self, on: bool) {
        // A socket that cannot be told so is closed or broken already.
        let _ = socket2::SockRef::from(self).set_linger(on.then_some(Duration::ZERO));
    }

    fn has_ended(&self) -> bool {
        // Being readable would hide the end; waiting for what never comes, urgent data, tells of the end alone.
        let ready = std::pin::pin!(self.ready(Interest::PRIORITY)).poll(&mut Context::from_waker(Waker::noop()));
        matches!(ready, Poll::Ready(Ok(ready)) if ready.is_read_closed())
    }
}

#[cfg(test)]
impl Stream for tokio::io::DuplexStream {
    fn reset_on_close(&self, _: bool) {}

    fn has_ended(&self) -> bool {
        false
    }
}

/// A stream with its buffers and framing.
pub struct Connection<S> {
    pub(super) stream: S,
    pub(super) input: Buffer,
    pub(super) decoder: Decoder,
    pub(super) encoder: Encoder,
    /// Content bytes that may still be read of this message.
    allowance: u64,
}

impl<S: Stream> Connection<S> {
    /// A connection on which nothing has happened.
    pub fn new(stream: S, buffers: Rc<Buffers>, class: usize, held: Vec<u8>) -> Self {
        Self { stream, input: Buffer::new(buffers, class), decoder: Decoder::ended(), encoder: Encoder::new(held), allowance: u64::MAX }
    }

    /// The stream itself, for its options.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Gives the stream back, and the memory of what was held; what was read and not consumed is lost.
    pub fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.encoder.into_held())
    }

    /// Whether nothing was read that is not consumed.
    #[must_use]
    pub fn input_is_empty(&self) -> bool {
        self.input.is_empty()
    }

    pub(super) fn start_reading(&mut self, length: Length, allowance: u64) {
        self.decoder.start(length);
        self.input.restart();
        self.allowance = allowance;
    }

    /// Turns both directions into a tunnel: no framing, each ends when its sender shuts.
    pub fn start_tunnel(&mut self) {
        self.start_reading(Length::UntilClose, u64::MAX);
        self.encoder.start(Framing::Tunnel);
    }
}

impl<S: Stream> Source for Connection<S> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SourceError>> {
        loop {
            if self.decoder.advance(&mut self.input).map_err(|_| SourceError::Malformed)? {
                return if self.decoder.ready(&self.input) > 0 && self.allowance == 0 {
                    Poll::Ready(Err(SourceError::TooLarge))
                } else {
                    Poll::Ready(Ok(()))
                };
            }
            match ready!(self.input.poll_read_body(&mut self.stream, cx)) {
                Ok(0) if self.decoder.close() => return Poll::Ready(Ok(())),
                Ok(0) => return Poll::Ready(Err(SourceError::Closed)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(SourceError::Broken(error))),
            }
        }
    }

    fn data(&self) -> &[u8] {
        let ready = self.decoder.ready(&self.input).min(usize::try_from(self.allowance).unwrap_or(usize::MAX));
        self.input.data().get(..ready).unwrap_or_default()
    }

    fn has_more(&self) -> bool {
        self.input.len() > self.decoder.ready(&self.input) && !self.decoder.has_ended()
    }

    fn consume(&mut self, count: usize) {
        self.input.consume(count);
        self.decoder.took(count);
        self.allowance = self.allowance.saturating_sub(count as u64);
    }

    fn ended(&self) -> bool {
        self.decoder.has_ended()
    }

    fn trailers(&self) -> &[u8] {
        self.decoder.trailers()
    }

    fn received(&self) -> u64 {
        self.input.received()
    }
}

impl<S: Stream> Sink for Connection<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>, data: &[u8], more: bool) -> Poll<io::Result<usize>> {
        self.encoder.poll_send(&mut self.stream, cx, data, more)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.encoder.poll_flush(&mut self.stream, cx)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>, trailers: &[u8]) -> Poll<io::Result<()>> {
        self.encoder.poll_finish(&mut self.stream, cx, trailers)
    }

    fn sent(&self) -> u64 {
        self.encoder.written()
    }
}
