//! The far end of a connection, as a client or a server of the plainest kind has it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::Instant;

/// One message as it was received: its head as text, its content, its trailer lines.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: String,
}

impl Message {
    /// The status of a response.
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The value of a field, where the head has it.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }

    /// The content as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// See the module. Its methods panic where the connection does not do as the test expects.
pub(crate) struct Peer {
    stream: DuplexStream,
    resets: Rc<Cell<bool>>,
    /// Whether the sending side has ended.
    ended: Rc<Cell<bool>>,
    /// Received and not yet looked at.
    held: Vec<u8>,
    /// The endpoint that this is a connection to; empty for a client's.
    pub(crate) endpoint: String,
}

impl Peer {
    pub(crate) fn new(stream: DuplexStream, resets: Rc<Cell<bool>>, ended: Rc<Cell<bool>>) -> Self {
        Self { stream, resets, ended, held: Vec::new(), endpoint: String::new() }
    }

    /// Sends all of it.
    pub(crate) async fn send(&mut self, data: impl AsRef<[u8]>) {
        self.stream.write_all(data.as_ref()).await.unwrap();
    }

    /// Sends as much as is taken before the other side closes.
    pub(crate) async fn try_send(&mut self, data: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(data.as_ref()).await.is_ok()
    }

    /// Sends one byte after another, with a pause before each.
    pub(crate) async fn trickle(&mut self, data: impl AsRef<[u8]>, pause: Duration) {
        for byte in data.as_ref() {
            tokio::time::sleep(pause).await;
            self.send([*byte]).await;
        }
    }

    /// Ends the sending side.
    pub(crate) async fn shut(&mut self) {
        self.stream.shutdown().await.unwrap();
        self.ended.set(true);
    }

    async fn more(&mut self) -> bool {
        self.up_to(4096).await
    }

    async fn up_to(&mut self, most: usize) -> bool {
        let mut piece = [0; 4096];
        let count = self.stream.read(&mut piece[..most.min(4096)]).await.unwrap();
        self.held.extend_from_slice(&piece[..count]);
        count > 0
    }

    /// Everything up to and including `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let end = end.as_bytes();
        loop {
            if let Some(at) = self.held.windows(end.len()).position(|window| window == end) {
                return String::from_utf8(self.held.drain(..at + end.len()).collect()).unwrap();
            }
            assert!(self.more().await, "closed after {:?}", String::from_utf8_lossy(&self.held));
        }
    }

    /// The next so many bytes; no more than those are read.
    pub(crate) async fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.held.len() < count {
            assert!(self.up_to(count - self.held.len()).await, "closed after {:?}", String::from_utf8_lossy(&self.held));
        }
        self.held.drain(..count).collect()
    }

    /// A message's head.
    pub(crate) async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// A request, or a response to anything but HEAD.
    pub(crate) async fn message(&mut self) -> Message {
        let head = self.head().await;
        let response = head.starts_with("HTTP/");
        let (mut body, mut trailers) = (Vec::new(), String::new());
        if field(&head, "Transfer-Encoding") == Some("chunked") {
            loop {
                let line = self.until("\r\n").await;
                let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
                if size == 0 {
                    break;
                }
                body.extend(self.exactly(size).await);
                assert_eq!(self.exactly(2).await, b"\r\n");
            }
            loop {
                let line = self.until("\r\n").await;
                if line == "\r\n" {
                    break;
                }
                trailers.push_str(&line);
            }
        } else if let Some(length) = field(&head, "Content-Length") {
            body = self.exactly(length.parse().unwrap()).await;
        } else if response && !head.contains(" 204 ") && !head.contains(" 304 ") && !head.starts_with("HTTP/1.1 1") {
            body = self.rest().await;
        }
        Message { head, body, trailers }
    }

    /// Everything up to a clean end.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        assert!(!self.resets.get(), "reset, not ended");
        std::mem::take(&mut self.held)
    }

    /// Everything up to an end of any kind, and whether it was a reset.
    pub(crate) async fn broken(&mut self) -> (Vec<u8>, bool) {
        while self.more().await {}
        (std::mem::take(&mut self.held), self.resets.get())
    }

    /// Waits for the end, which must come with nothing before it and without time passing.
    pub(crate) async fn ends_at_once(&mut self) {
        let now = Instant::now();
        while self.more().await {}
        assert_eq!(String::from_utf8_lossy(&self.held), "", "nothing more was to come");
        assert_eq!(now.elapsed(), Duration::ZERO, "it did not end at once");
    }

    /// Whether nothing has come and nothing has ended, as things are.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        super::settle().await;
        self.held.is_empty() && tokio::time::timeout(Duration::ZERO, self.more()).await.is_err()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.ended.set(true);
    }
}
