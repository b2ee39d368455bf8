//! HTTP/1.1 as a back: one exchange on a connection to an endpoint.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::buffer::{Buffers, MEDIUM};
use super::connection::{Connection, Stream};
use super::encoder::Framing;
use super::response;
use super::scan::{Scan, Scanner};
use crate::exchange::Back;
use crate::exchange::body::{Sink, Source, SourceError};
use crate::exchange::forward::{Outgoing, write_decimal, write_field, write_line};
use crate::message::{FieldName, Length, ResponseHead};
use crate::record::Cause;

/// A server's connection, for one exchange.
pub struct ServerSide<S: Stream> {
    connection: Connection<S>,
    buffers: Rc<Buffers>,
    response: ResponseHead,
    scanner: Scanner,
    /// Bytes that a response head may take.
    max_head: usize,
    kept: bool,
    answered: bool,
    /// The request was a HEAD.
    bodiless: bool,
}

impl<S: Stream> ServerSide<S> {
    /// An idle connection; `kept` if it served before.
    pub fn new(stream: S, buffers: Rc<Buffers>, max_head: usize, kept: bool) -> Self {
        let (response, held) = buffers.take_heads();
        Self {
            connection: Connection::new(stream, Rc::clone(&buffers), MEDIUM, held),
            buffers,
            response,
            scanner: Scanner::default(),
            max_head,
            kept,
            answered: false,
            bodiless: false,
        }
    }

    /// The stream of a reusable connection.
    pub fn into_stream(self) -> S {
        let (stream, held) = self.connection.into_parts();
        self.buffers.give_heads_back(self.response, held);
        stream
    }

    /// Starts on a request without content whose whole head is written as it is to be sent.
    pub fn begin_as_written(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let out = self.connection.encoder.held();
        write(out);
        self.bodiless = out.starts_with(b"HEAD ");
        self.connection.encoder.start(Framing::None);
    }

    fn parse(&mut self, length: usize) -> Result<(), Cause> {
        let head = self.connection.input.data().get(..length).unwrap_or_default();
        let parsed = response::parse(head, self.bodiless, &mut self.response);
        self.connection.input.consume(length);
        parsed
    }
}

impl<S: Stream> Back for ServerSide<S> {
    fn begin(&mut self, request: &Outgoing<'_>) {
        let head = request.head;
        self.bodiless = head.method() == b"HEAD";
        let out = self.connection.encoder.held();
        out.extend_from_slice(head.method());
        out.push(b' ');
        if request.path.is_empty() {
            // An absolute target without a path: for OPTIONS it means the server itself (RFC 9112 section 3.2.4).
            out.extend_from_slice(if head.method() == b"OPTIONS" && head.query().is_none() { b"*" } else { b"/" });
        } else {
            out.extend_from_slice(request.path);
        }
        if let Some(query) = head.query() {
            out.push(b'?');
            out.extend_from_slice(query);
        }
        out.extend_from_slice(b" HTTP/1.1\r\n");
        request.fields(&mut |line| write_line(out, line));
        let framing = match head.length {
            Length::Known(length) => {
                out.extend_from_slice(b"Content-Length: ");
                write_decimal(out, length);
                out.extend_from_slice(b"\r\n");
                Framing::Length(length)
            }
            Length::Framed => {
                write_field(out, b"Transfer-Encoding", b"chunked");
                Framing::Chunked
            }
            Length::None | Length::UntilClose => {
                if head.fields.values(FieldName::ContentLength).next().is_some() {
                    write_field(out, b"Content-Length", b"0");
                }
                Framing::None
            }
        };
        out.extend_from_slice(b"\r\n");
        self.connection.encoder.start(framing);
    }

    fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        loop {
            match self.scanner.scan(self.connection.input.data()) {
                Scan::Complete(length) if length <= self.max_head => return Poll::Ready(self.parse(length)),
                Scan::Complete(_) => return Poll::Ready(Err(Cause::ResponseHeadTooLarge)),
                Scan::BareLineFeed => return Poll::Ready(Err(Cause::ResponseMalformed)),
                Scan::Partial => {}
            }
            if !self.connection.input.make_room(self.max_head) {
                return Poll::Ready(Err(Cause::ResponseHeadTooLarge));
            }
            match ready!(self.connection.input.poll_read(&mut self.connection.stream, cx)) {
                Ok(0) => return Poll::Ready(Err(Cause::ClosedBeforeResponse)),
                Ok(_) => self.answered = true,
                Err(_) => return Poll::Ready(Err(Cause::ResetBeforeResponse)),
            }
        }
    }

    fn response(&self) -> &ResponseHead {
        &self.response
    }

    fn advance(&mut self) {
        self.scanner = Scanner::default();
        if self.response.is_interim() {
            self.response.clear();
        } else {
            self.connection.start_reading(self.response.length, u64::MAX);
        }
    }

    fn is_kept(&self) -> bool {
        self.kept
    }

    fn has_answered(&self) -> bool {
        self.answered
    }

    fn start_tunnel(&mut self) {
        self.connection.start_tunnel();
    }

    fn is_reusable(&self) -> bool {
        self.response.keep_alive
            && self.response.length != Length::UntilClose
            && self.response.status != 101
            && self.connection.ended()
            && self.connection.input_is_empty()
            && self.connection.encoder.has_ended()
    }
}

impl<S: Stream> Source for ServerSide<S> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SourceError>> {
        self.connection.poll_fill(cx)
    }

    fn data(&self) -> &[u8] {
        self.connection.data()
    }

    fn has_more(&self) -> bool {
        self.connection.has_more()
    }

    fn consume(&mut self, count: usize) {
        self.connection.consume(count);
    }

    fn ended(&self) -> bool {
        self.connection.ended()
    }

    fn trailers(&self) -> &[u8] {
        self.connection.trailers()
    }

    fn received(&self) -> u64 {
        self.connection.received()
    }
}

impl<S: Stream> Sink for ServerSide<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>, data: &[u8], more: bool) -> Poll<io::Result<usize>> {
        self.connection.poll_send(cx, data, more)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.poll_flush(cx)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>, trailers: &[u8]) -> Poll<io::Result<()>> {
        self.connection.poll_finish(cx, trailers)
    }

    fn sent(&self) -> u64 {
        self.connection.sent()
    }
}
