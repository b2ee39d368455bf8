//! HTTP/1.1 as a front: one client connection, request after request.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::buffer::{Buffers, SMALL};
use super::connection::{Connection, Stream};
use super::encoder::Framing;
use super::request;
use super::scan::{Scan, Scanner};
use crate::clock::Timer;
use crate::exchange::answer::{Answer, reason};
use crate::exchange::body::{Sink, Source, SourceError};
use crate::exchange::forward::{Passing, response_fields, write_decimal, write_field, write_line};
use crate::exchange::{Front, Reply};
use crate::message::{FieldName, Length, RequestHead, ResponseHead};
use crate::record::Cause;

/// Bytes of pipelined requests that are taken in while an answer is pending, so that a close behind them is noticed.
const PIPELINED: usize = 64 * 1024;

/// Empty lines that are passed over before a request (RFC 9112 section 2.2 asks for one).
const EMPTY_LINES: u32 = 8;

/// What came instead of, or as, the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A request; its head is parsed.
    Request,
    /// The client closed, or broke off, before one was complete.
    Closed,
    /// Nothing came for a while; the connection may be parked.
    Quiet,
    /// A head that is not served, for this cause.
    Refused(Cause),
}

/// How long the next request's head may take, and how large it may be.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// Until its first byte, after which the connection counts as quiet.
    pub quiet: Duration,
    /// That may be found a second late.
    pub at_leisure: bool,
    /// From its first byte to its end.
    pub head: Duration,
    /// Bytes of the whole head.
    pub size: usize,
    /// Bytes of the content.
    pub content: u64,
}

/// A client's connection.
#[expect(clippy::struct_excessive_bools, reason = "each is a plain fact about the connection")]
pub struct ClientSide<S: Stream> {
    pub(super) connection: Connection<S>,
    request: RequestHead,
    /// A response has begun, be it an interim one.
    touched: bool,
    /// The response says that the connection stays.
    keep_alive: bool,
    /// Whether a client that shut its sending side still waits for its answer.
    half_close: bool,
    /// The client shut its sending side.
    shut: bool,
}

impl<S: Stream> ClientSide<S> {
    /// A connection as accepted.
    pub fn new(stream: S, buffers: Rc<Buffers>, half_close: bool) -> Self {
        let (request, written) = buffers.take_requests();
        Self {
            connection: Connection::new(stream, buffers, SMALL, written),
            request,
            touched: false,
            keep_alive: false,
            half_close,
            shut: false,
        }
    }

    /// Reads the next request's head.
    pub async fn next_request(&mut self, timer: &mut Timer, limits: HeadLimits) -> Next {
        self.request.clear();
        self.touched = false;
        let mut scanner = Scanner::default();
        let mut started = !self.connection.input_is_empty();
        timer.clear();
        let mut armed = false;
        let mut empty = 0;
        poll_fn(|cx| {
            loop {
                while started && self.connection.input.data().starts_with(b"\r\n") {
                    empty += 1;
                    if empty > EMPTY_LINES {
                        return Poll::Ready(Next::Refused(Cause::MalformedRequest));
                    }
                    self.connection.input.consume(2);
                    scanner = Scanner::default();
                    started = !self.connection.input_is_empty();
                }
                match scanner.scan(self.connection.input.data()) {
                    Scan::Complete(length) if length <= limits.size => return Poll::Ready(self.take_head(length, limits.content)),
                    Scan::BareLineFeed => return Poll::Ready(Next::Refused(Cause::BareLineFeed)),
                    Scan::Complete(_) => return Poll::Ready(Next::Refused(request::oversize(self.connection.input.data(), limits.size))),
                    Scan::Partial => {}
                }
                if !self.connection.input.make_room(limits.size) {
                    return Poll::Ready(Next::Refused(request::oversize(self.connection.input.data(), limits.size)));
                }
                match self.connection.input.poll_read(&mut self.connection.stream, cx) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Next::Closed),
                    Poll::Ready(Ok(_)) => {
                        if !started {
                            started = true;
                            armed = false;
                        }
                    }
                    Poll::Pending => {
                        // The clock is read only when there is something to wait for.
                        if !armed {
                            armed = true;
                            let now = Instant::now();
                            if started {
                                timer.set(now + limits.head);
                            } else if limits.at_leisure {
                                timer.set_lazy(now + limits.quiet);
                            } else {
                                timer.set_idle(now + limits.quiet);
                            }
                        }
                        if timer.poll(cx).is_pending() {
                            return Poll::Pending;
                        }
                        return Poll::Ready(if started { Next::Refused(Cause::HeadTimeout) } else { Next::Quiet });
                    }
                }
            }
        })
        .await
    }

    fn take_head(&mut self, length: usize, allowance: u64) -> Next {
        let head = self.connection.input.data().get(..length).unwrap_or_default();
        let parsed = request::parse(head, &mut self.request);
        self.connection.input.consume(length);
        if let Err(cause) = parsed {
            // Nobody knows where the next request would start, nor what still comes.
            self.connection.start_reading(Length::UntilClose, 0);
            return Next::Refused(cause);
        }
        if let Length::Known(length) = self.request.length
            && length > allowance
        {
            self.connection.start_reading(self.request.length, 0);
            return Next::Refused(Cause::BodyTooLarge);
        }
        self.connection.start_reading(self.request.length, allowance);
        Next::Request
    }

    /// Gives the connection's memory back to its thread and returns its stream, for parking or closing.
    pub fn into_stream(self) -> S {
        let buffers = self.connection.input.buffers();
        let (stream, written) = self.connection.into_parts();
        buffers.give_requests_back(self.request, written);
        stream
    }

    /// The stream, for its options.
    pub fn stream(&self) -> &S {
        self.connection.stream()
    }

    /// Whether the client has sent nothing that was not read, so that closing destroys nothing.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.connection.ended() && self.connection.input_is_empty() && !self.request.method.is_empty()
    }

    fn write_status(&mut self, status: u16, phrase: &[u8]) {
        let out = self.connection.encoder.held();
        out.extend_from_slice(b"HTTP/1.1 ");
        write_decimal(out, u64::from(status));
        out.push(b' ');
        out.extend_from_slice(phrase);
        out.extend_from_slice(b"\r\n");
    }

    /// How the response's content is framed for this client, and whether its connection can then stay.
    fn framing(&self, length: Length) -> (Framing, bool) {
        match length {
            Length::None => (Framing::None, true),
            Length::Known(length) => (Framing::Length(length), true),
            Length::Framed | Length::UntilClose if self.request.modern => (Framing::Chunked, true),
            Length::Framed | Length::UntilClose => (Framing::UntilClose, false),
        }
    }

    /// Whether no other request can come: the client shut its sending side, and nothing it sent before is left.
    fn is_last(&self) -> bool {
        self.shut && self.connection.input_is_empty()
    }

    fn write_connection(&mut self) {
        if !self.keep_alive {
            write_field(self.connection.encoder.held(), b"Connection", b"close");
        } else if !self.request.modern {
            write_field(self.connection.encoder.held(), b"Connection", b"keep-alive");
        }
    }
}

impl<S: Stream> Front for ClientSide<S> {
    fn request(&self) -> &RequestHead {
        &self.request
    }

    fn is_untouched(&self) -> bool {
        !self.touched
    }

    fn interim(&mut self, head: &ResponseHead) {
        if self.request.modern {
            self.touched = true;
            self.write_status(head.status, head.reason.get(&head.fields.bytes));
            let out = self.connection.encoder.held();
            response_fields(head, &crate::route::HeaderEdits::default(), Passing::default(), &mut |line| write_line(out, line));
            out.extend_from_slice(b"\r\n");
        }
    }

    fn respond(&mut self, reply: &Reply<'_>) {
        self.touched = true;
        let head = reply.head;
        let upgraded = head.status == 101;
        let (framing, can_stay) = self.framing(head.length);
        // A refusal that does not wait for the rest of the content ends the connection, which the client should know.
        let over = head.status < 400 || self.connection.ended();
        self.keep_alive = reply.keep_alive && self.request.keep_alive && can_stay && !upgraded && over && !self.is_last();
        self.write_status(head.status, head.reason.get(&head.fields.bytes));
        let out = self.connection.encoder.held();
        let passing = Passing { upgrade: upgraded, load_report: reply.load_report };
        response_fields(head, reply.edits, passing, &mut |line| write_line(out, line));
        if let Some(cookie) = reply.cookie {
            write_field(out, b"Set-Cookie", cookie.as_bytes());
        }
        if let Some(form) = reply.all_down {
            write_field(out, b"Forebay-All-Down", form.as_bytes());
        }
        if !head.fields.has(FieldName::XRequestId) && !reply.edits.removes(b"x-request-id") {
            write_field(out, b"X-Request-Id", reply.id);
        }
        match framing {
            Framing::Chunked => write_field(out, b"Transfer-Encoding", b"chunked"),
            Framing::None | Framing::Length(_) if head.status >= 200 && head.status != 204 => {
                // What the server declared: for HEAD and 304 it is not what follows here.
                if let Some(length) = head.declared {
                    out.extend_from_slice(b"Content-Length: ");
                    write_decimal(out, length);
                    out.extend_from_slice(b"\r\n");
                }
            }
            _ => {}
        }
        if upgraded {
            write_field(out, b"Connection", b"Upgrade");
        } else {
            self.write_connection();
        }
        self.connection.encoder.held().extend_from_slice(b"\r\n");
        self.connection.encoder.start(framing);
        if framing == Framing::UntilClose {
            // Until it is complete, closing must not look like its end.
            self.connection.stream.reset_on_close(true);
        }
    }

    fn answer(&mut self, answer: &Answer, keep_alive: bool) {
        self.touched = true;
        self.keep_alive = keep_alive && self.request.keep_alive && self.connection.ended() && !self.is_last();
        self.write_status(answer.status, reason(answer.status).as_bytes());
        let out = self.connection.encoder.held();
        for (name, value) in &answer.fields {
            write_field(out, name, value);
        }
        let has_content = !matches!(answer.status, 204 | 304);
        if has_content {
            out.extend_from_slice(b"Content-Length: ");
            write_decimal(out, answer.body.len() as u64);
            out.extend_from_slice(b"\r\n");
        }
        self.write_connection();
        let bodiless = !has_content || self.request.method() == b"HEAD";
        let out = self.connection.encoder.held();
        out.extend_from_slice(b"\r\n");
        if !bodiless {
            out.extend_from_slice(&answer.body);
        }
        self.connection.encoder.start(Framing::None);
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.shut && self.connection.input.len() < PIPELINED && self.connection.input.make_room(PIPELINED) {
            match self.connection.input.poll_read(&mut self.connection.stream, cx) {
                Poll::Ready(Ok(0)) => self.shut = true,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.shut && !self.half_close { Poll::Ready(()) } else { Poll::Pending }
    }

    fn has_left(&self) -> bool {
        !self.half_close && self.connection.stream.has_ended()
    }

    fn start_tunnel(&mut self) {
        self.keep_alive = false;
        self.connection.start_tunnel();
    }

    fn is_reusable(&self) -> bool {
        self.keep_alive && !self.is_last() && self.connection.ended() && self.connection.encoder.is_flushed()
    }
}

impl<S: Stream> Source for ClientSide<S> {
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

impl<S: Stream> Sink for ClientSide<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>, data: &[u8], more: bool) -> Poll<io::Result<usize>> {
        self.connection.poll_send(cx, data, more)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.poll_flush(cx)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>, trailers: &[u8]) -> Poll<io::Result<()>> {
        let until_close = self.connection.encoder.is_until_close();
        let result = std::task::ready!(self.connection.poll_finish(cx, trailers));
        if until_close && result.is_ok() {
            self.connection.stream.reset_on_close(false);
        }
        Poll::Ready(result)
    }

    fn sent(&self) -> u64 {
        self.connection.sent()
    }
}
