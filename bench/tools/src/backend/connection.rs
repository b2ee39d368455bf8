//! One connection of the backend: read a request, drop its body, write the answer.

use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;

use mio::net::TcpStream;

use super::request;
use crate::meter::monotonic;
use crate::socket;

/// Body of the usual answer.
pub const SMALL: &str = "sixty-three bytes of body, enough for a small and honest reply\n";
/// Body of `/size/N`, repeated as often as needed.
const BLOCK: usize = 1 << 20;
const EVENT_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Ready-made answers and buffers of all connections.
pub struct Shared {
    small: Vec<u8>,
    with_headers: Vec<u8>,
    block: Vec<u8>,
    read: Vec<u8>,
    drop: Vec<MaybeUninit<u8>>,
}

impl Shared {
    pub fn new() -> Self {
        let extra = (1..=15).map(|n| format!("X-Answer-{n}: value-of-the-answer-{n:04}\r\n")).collect::<Vec<_>>().concat();
        // 251 is prime: a block that was cut and joined wrongly differs from the right one.
        let block = (0..BLOCK).map(|at| (at % 251) as u8).collect();
        Self {
            small: small(""),
            with_headers: small(&extra),
            block,
            read: vec![0; 64 << 10],
            drop: vec![MaybeUninit::uninit(); socket::DISCARD],
        }
    }
}

fn small(extra: &str) -> Vec<u8> {
    text(SMALL, extra)
}

fn text(body: &str, extra: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n{extra}\r\n{body}").into_bytes()
}

/// What is left to write.
#[derive(Default)]
struct Answer {
    head: Vec<u8>,
    head_sent: usize,
    body: u64,
    body_sent: u64,
}

pub struct Connection {
    stream: TcpStream,
    partial: Vec<u8>,
    /// Length of the request body, and how much of it is still to come.
    body: Option<(u64, u64)>,
    answer: Answer,
    events: bool,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, partial: Vec::new(), body: None, answer: Answer::default(), events: false }
    }

    /// True once, after a request for `/sse`.
    pub fn begins_events(&mut self) -> bool {
        std::mem::take(&mut self.events)
    }

    /// Writes and reads as far as the socket goes; an error means that the connection is over.
    pub fn advance(&mut self, shared: &mut Shared) -> io::Result<()> {
        while self.flush(&shared.block)? {
            let (outcome, full) = match self.body {
                Some((_, left)) => (socket::discard(&self.stream, left, &mut shared.drop), left.min(socket::DISCARD as u64) as usize),
                None => (self.stream.read(&mut shared.read), shared.read.len()),
            };
            let bytes = match outcome {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(bytes) => bytes,
                Err(error) if socket::later(&error) => return Ok(()),
                Err(error) => return Err(error),
            };
            if let Some((total, left)) = self.body {
                self.sunk(total, left - bytes as u64);
            } else {
                self.read(bytes, shared)?;
            }
            if bytes < full {
                // The socket is empty; the next edge tells. What was just prepared is still to be written.
                self.flush(&shared.block)?;
                return Ok(());
            }
        }
        Ok(())
    }

    fn read(&mut self, bytes: usize, shared: &Shared) -> io::Result<()> {
        let fresh = shared.read.get(..bytes).unwrap_or(&[]);
        if self.partial.is_empty() && request::head(fresh).is_some() {
            return self.begin(fresh, shared);
        }
        self.partial.extend_from_slice(fresh);
        if request::head(&self.partial).is_none() {
            return Ok(());
        }
        let whole = std::mem::take(&mut self.partial);
        self.begin(&whole, shared)
    }

    /// Acts on a complete head, which `bytes` holds with the start of the body, if any.
    fn begin(&mut self, bytes: &[u8], shared: &Shared) -> io::Result<()> {
        let Some(head) = request::head(bytes) else { return Ok(()) };
        if head.chunked {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "request bodies come with Content-Length here"));
        }
        if head.body > 0 {
            let early = (bytes.len() - head.size) as u64;
            self.sunk(head.body, head.body.saturating_sub(early));
            return Ok(());
        }
        if head.path == "/sse" {
            self.events = true;
            return self.stream.write_all(EVENT_HEAD);
        }
        if let Some(size) = head.path.strip_prefix("/size/").and_then(|size| size.parse::<u64>().ok()) {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n");
            self.answer = Answer { head: head.into_bytes(), body: size, ..Answer::default() };
            return Ok(());
        }
        let ready = if head.path == "/headers" { &shared.with_headers } else { &shared.small };
        // An answer of a few hundred bytes goes into an empty send buffer whole.
        self.stream.write_all(ready)
    }

    fn sunk(&mut self, total: u64, left: u64) {
        self.body = (left > 0).then_some((total, left));
        if left == 0 {
            self.answer = Answer { head: text(&format!("received {total}\n"), ""), ..Answer::default() };
        }
    }

    /// Writes what is left of the answer; true when nothing is.
    fn flush(&mut self, block: &[u8]) -> io::Result<bool> {
        loop {
            let answer = &mut self.answer;
            let head = answer.head.get(answer.head_sent..).unwrap_or(&[]);
            let left = answer.body - answer.body_sent;
            if head.is_empty() && left == 0 {
                return Ok(true);
            }
            let offset = answer.body_sent as usize % block.len();
            let end = (offset as u64 + left).min(block.len() as u64) as usize;
            let body = block.get(offset..end).unwrap_or(&[]);
            let head_left = head.len();
            match self.stream.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]) {
                Ok(bytes) => {
                    answer.head_sent += bytes.min(head_left);
                    answer.body_sent += bytes.saturating_sub(head_left) as u64;
                }
                Err(error) if socket::later(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// One server-sent event with the present time of `CLOCK_MONOTONIC` in nanoseconds, in a chunk of its own.
    pub fn send_event(&mut self) -> io::Result<()> {
        let event = format!("data: {}\n\n", monotonic());
        self.stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
    }
}
