//! The backend server: one thread, answers from memory, keeps every connection for ever.

mod connection;
pub mod request;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use pico_args::Arguments;
use serde_json::json;
use slab::Slab;

use crate::Failure;
use crate::options::none_left;
pub use connection::SMALL;
use connection::{Connection, Shared};

const LISTENER: Token = Token(usize::MAX);
/// Time between two server-sent events.
pub const EVENT_GAP: Duration = Duration::from_millis(50);

struct Server {
    poll: Poll,
    listener: TcpListener,
    connections: Slab<Connection>,
    shared: Shared,
    /// Connections that carry an event stream, with the time of their next event.
    streams: Vec<(usize, Instant)>,
}

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let address: SocketAddr = arguments.value_from_str("--listen")?;
    none_left(arguments)?;
    let mut listener = TcpListener::bind(address).map_err(|error| format!("cannot listen on {address}: {error}"))?;
    println!("{}", json!({"listening": listener.local_addr()?.to_string()}));
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut server = Server { poll, listener, connections: Slab::new(), shared: Shared::new(), streams: Vec::new() };
    let mut events = Events::with_capacity(1024);
    loop {
        let timeout = server.due_events();
        match server.poll.poll(&mut events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &events {
            if event.token() == LISTENER {
                server.accept()?;
            } else {
                server.advance(event.token().0);
            }
        }
    }
}

impl Server {
    fn accept(&mut self) -> Result<(), Failure> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(format!("cannot accept: {error}").into()),
            };
            stream.set_nodelay(true)?;
            let slot = self.connections.vacant_entry();
            let token = Token(slot.key());
            self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            slot.insert(Connection::new(stream));
        }
    }

    fn advance(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.advance(&mut self.shared).is_err() {
            self.streams.retain(|(stream, _)| *stream != key);
            self.connections.remove(key);
        } else if connection.begins_events() {
            self.streams.push((key, Instant::now() + EVENT_GAP));
        }
    }

    /// Sends the events that are due; gives the time to the next one.
    fn due_events(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let mut lost = Vec::new();
        for (key, due) in self.streams.iter_mut().filter(|(_, due)| *due <= now) {
            *due += EVENT_GAP;
            let sent = self.connections.get_mut(*key).map(Connection::send_event);
            if !matches!(sent, Some(Ok(()))) {
                lost.push(*key);
            }
        }
        for key in lost {
            self.streams.retain(|(stream, _)| *stream != key);
            if self.connections.contains(key) {
                self.connections.remove(key);
            }
        }
        self.streams.iter().map(|(_, due)| due.saturating_duration_since(now)).min()
    }
}
