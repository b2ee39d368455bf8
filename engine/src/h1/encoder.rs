//! Puts HTTP/1 framing around a message's content, and holds what is framed but not yet sent.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

/// Content up to this size is copied behind its framing and sent in one piece; larger content is sent from where it lies.
const COPIED: usize = 8 * 1024;

/// Held bytes are sent before any more are added to that many.
const HELD: usize = 32 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing more belongs to this message.
    Ended,
    /// So many bytes were declared and not yet sent.
    Length(u64),
    /// So many bytes are left of a chunk that is under way.
    Chunked(u64),
    /// The connection's end will be the message's.
    UntilClose,
    /// A tunnel: the sending side is shut at the end.
    Tunnel,
}

/// How a message's content is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is no content.
    None,
    /// By its declared length.
    Length(u64),
    /// In chunks.
    Chunked,
    /// By the end of the connection.
    UntilClose,
    /// Not at all: both sides talk as they like until they shut.
    Tunnel,
}

/// The sending side of one connection.
#[derive(Debug)]
pub(super) struct Encoder {
    held: Vec<u8>,
    sent: usize,
    /// Bytes that the stream took so far.
    written: u64,
    state: State,
}

impl Encoder {
    /// One that holds back in the memory of `held`, which is empty.
    pub(super) fn new(held: Vec<u8>) -> Self {
        Self { held, sent: 0, written: 0, state: State::Ended }
    }

    /// Where a head is written; it goes out with the first content or the next flush.
    pub(super) fn held(&mut self) -> &mut Vec<u8> {
        &mut self.held
    }

    /// The memory of what was held back.
    pub(super) fn into_held(self) -> Vec<u8> {
        self.held
    }

    /// Starts on a message whose head has been written to `held`.
    pub(super) fn start(&mut self, framing: Framing) {
        self.state = match framing {
            Framing::None | Framing::Length(0) => State::Ended,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(0),
            Framing::UntilClose => State::UntilClose,
            Framing::Tunnel => State::Tunnel,
        };
    }

    /// Whether nothing is held back.
    pub(super) fn is_flushed(&self) -> bool {
        self.held.is_empty()
    }

    /// Bytes that the stream took so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Whether the connection's end is the message's.
    pub(super) fn is_until_close(&self) -> bool {
        self.state == State::UntilClose
    }

    /// Whether the message is complete and all of it is sent.
    pub(super) fn has_ended(&self) -> bool {
        self.held.is_empty() && self.state == State::Ended
    }

    pub(super) fn poll_send<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        data: &[u8],
        more: bool,
    ) -> Poll<io::Result<usize>> {
        let between_chunks = self.state == State::Chunked(0);
        if data.len() <= COPIED && (between_chunks || !matches!(self.state, State::Chunked(_))) {
            return self.poll_send_copied(stream, cx, data, more);
        }
        if between_chunks {
            write!(self.held, "{:x}\r\n", data.len())?;
            self.state = State::Chunked(data.len() as u64);
        }
        let allowed = self.allowed(data)?;
        let count = ready!(self.poll_write(stream, cx, allowed))?;
        self.count(count);
        Poll::Ready(Ok(count))
    }

    fn poll_send_copied<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        data: &[u8],
        more: bool,
    ) -> Poll<io::Result<usize>> {
        if self.held.len() + data.len() > HELD {
            ready!(self.poll_flush(stream, cx))?;
        }
        if self.state == State::Chunked(0) {
            write!(self.held, "{:x}\r\n", data.len())?;
            self.held.extend_from_slice(data);
            self.held.extend_from_slice(b"\r\n");
        } else {
            let allowed = self.allowed(data)?.len();
            self.held.extend_from_slice(data.get(..allowed).unwrap_or_default());
            self.count(allowed);
        }
        if !more && let Poll::Ready(Err(error)) = self.poll_flush(stream, cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(data.len()))
    }

    /// As much of `data` as still belongs to the message or the chunk.
    fn allowed<'a>(&self, data: &'a [u8]) -> io::Result<&'a [u8]> {
        match self.state {
            State::Length(left) if (data.len() as u64) > left => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "more content than declared"))
            }
            State::Chunked(left) => Ok(data.get(..usize::try_from(left).unwrap_or(usize::MAX).min(data.len())).unwrap_or_default()),
            State::Ended => Err(io::Error::new(io::ErrorKind::InvalidData, "content after the end")),
            _ => Ok(data),
        }
    }

    fn count(&mut self, count: usize) {
        match &mut self.state {
            State::Length(left) => {
                *left -= count as u64;
                if *left == 0 {
                    self.state = State::Ended;
                }
            }
            State::Chunked(left) => {
                *left -= count as u64;
                if *left == 0 {
                    self.held.extend_from_slice(b"\r\n");
                }
            }
            _ => {}
        }
    }

    /// Sends what is held and then `data`; returns how much of `data` went.
    fn poll_write<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let held = self.held.get(self.sent..).unwrap_or_default();
            let written = if held.is_empty() {
                ready!(Pin::new(&mut *stream).poll_write(cx, data))?
            } else {
                ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &[IoSlice::new(held), IoSlice::new(data)]))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written as u64;
            let (of_held, of_data) = (written.min(held.len()), written.saturating_sub(held.len()));
            self.sent += of_held;
            if self.sent == self.held.len() {
                self.held.clear();
                self.sent = 0;
            }
            if of_data > 0 {
                return Poll::Ready(Ok(of_data));
            }
        }
    }

    pub(super) fn poll_flush<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(held @ [_, ..]) = self.held.get(self.sent..) {
            let written = ready!(Pin::new(&mut *stream).poll_write(cx, held))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
            self.written += written as u64;
        }
        self.held.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_finish<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        trailers: &[u8],
    ) -> Poll<io::Result<()>> {
        match self.state {
            State::Length(_) => return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "less content than declared"))),
            State::Chunked(_) => {
                self.held.extend_from_slice(b"0\r\n");
                self.held.extend_from_slice(trailers);
                self.held.extend_from_slice(b"\r\n");
                self.state = State::Ended;
            }
            State::Tunnel => {
                ready!(self.poll_flush(stream, cx))?;
                ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
                self.state = State::Ended;
            }
            State::UntilClose | State::Ended => {}
        }
        self.poll_flush(stream, cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// Sends pieces through a pipe of `width` bytes and returns what arrives.
    async fn wire(framing: Framing, pieces: &[(&[u8], bool)], width: usize) -> io::Result<Vec<u8>> {
        let (mut near, mut far) = tokio::io::duplex(width);
        let reader = async {
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.unwrap();
            all
        };
        let writer = async {
            let mut encoder = Encoder::new(Vec::new());
            encoder.held().extend_from_slice(b"HEAD ");
            encoder.start(framing);
            for (piece, more) in pieces {
                let mut rest = *piece;
                while !rest.is_empty() {
                    let count = poll_fn(|cx| encoder.poll_send(&mut near, cx, rest, *more)).await?;
                    rest = &rest[count..];
                }
            }
            poll_fn(|cx| encoder.poll_finish(&mut near, cx, b"T: 1\r\n")).await?;
            assert!(encoder.is_flushed());
            drop(near);
            Ok::<_, io::Error>(())
        };
        let (result, all) = tokio::join!(writer, reader);
        result.map(|()| all)
    }

    #[tokio::test]
    async fn chunks_carry_small_and_large_content_alike() {
        let large = vec![b'x'; 20_000];
        for width in [1, 7, 4096, 1 << 20] {
            let all = wire(Framing::Chunked, &[(b"ab", true), (b"c", false), (&large, false)], width).await.unwrap();
            let mut expected = b"HEAD 2\r\nab\r\n1\r\nc\r\n4e20\r\n".to_vec();
            expected.extend_from_slice(&large);
            expected.extend_from_slice(b"\r\n0\r\nT: 1\r\n\r\n");
            assert_eq!(all, expected, "through {width} bytes");
        }
    }

    #[tokio::test]
    async fn a_declared_length_is_kept_to_the_byte() {
        assert_eq!(wire(Framing::Length(3), &[(b"ab", true), (b"c", false)], 64).await.unwrap(), b"HEAD abc");
        assert!(wire(Framing::Length(3), &[(b"ab", false)], 64).await.is_err(), "shorter than declared");
        assert!(wire(Framing::Length(3), &[(b"abcd", false)], 64).await.is_err(), "longer than declared");
    }
}
