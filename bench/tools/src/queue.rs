//! Servers whose speed is known: on each port a first-in-first-out queue before one worker, which sleeps an exponential time for each
//! request instead of working, so that a dozen of them fit on a core. Some may answer 500 at once instead.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use pico_args::Arguments;
use serde_json::json;
use slab::Slab;

use crate::Failure;
use crate::alarm::Alarm;
use crate::backend::{SMALL, request};
use crate::draws::Draws;
use crate::options::{none_left, seconds};
use crate::socket;

const TIMER: Token = Token(usize::MAX);
/// Tokens of listeners come after those of connections.
const LISTENERS: usize = 1 << 32;

struct Server {
    listener: TcpListener,
    draws: Draws,
    mean: Duration,
    failing: bool,
    /// Connections whose requests wait, the one in service first.
    queue: VecDeque<usize>,
    /// Requests taken.
    taken: u64,
}

struct Connection {
    stream: TcpStream,
    server: usize,
    partial: Vec<u8>,
    /// A request of it is in the queue.
    queued: bool,
    /// Its client has gone; it ends with its place in the queue.
    gone: bool,
}

struct Queues {
    poll: Poll,
    servers: Vec<Server>,
    connections: Slab<Connection>,
    /// When the request in service ends, by server.
    ends: BinaryHeap<Reverse<(Instant, usize)>>,
    alarm: Alarm,
    read: Vec<u8>,
}

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let mean = seconds(&mut arguments, "--mean", 0.002)?;
    let speeds: String = arguments.value_from_str("--speeds")?;
    let failing: usize = arguments.opt_value_from_str("--failing")?.unwrap_or(0);
    let seed: u64 = arguments.opt_value_from_str("--seed")?.unwrap_or(1);
    none_left(arguments)?;
    let speeds: Vec<f64> = speeds.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let poll = Poll::new()?;
    let alarm = Alarm::new(&poll, TIMER)?;
    let mut queues =
        Queues { poll, servers: Vec::new(), connections: Slab::new(), ends: BinaryHeap::new(), alarm, read: vec![0; 16 << 10] };
    for (index, speed) in speeds.iter().enumerate() {
        if !(speed.is_finite() && *speed > 0.0) {
            return Err(format!("--speeds: {speed} is no speed").into());
        }
        let server = Server {
            listener: TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?,
            draws: Draws::new(seed.wrapping_mul(1 << 20).wrapping_add(index as u64)),
            mean: mean.div_f64(*speed),
            failing: index + failing >= speeds.len(),
            queue: VecDeque::new(),
            taken: 0,
        };
        queues.add(server)?;
    }
    let addresses = queues.servers.iter().map(|server| server.listener.local_addr().map(|address| address.to_string()));
    println!("{}", json!({"listening": addresses.collect::<io::Result<Vec<_>>>()?}));
    queues.serve()
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

impl Queues {
    fn add(&mut self, mut server: Server) -> Result<(), Failure> {
        self.poll.registry().register(&mut server.listener, Token(LISTENERS + self.servers.len()), Interest::READABLE)?;
        self.servers.push(server);
        Ok(())
    }

    fn serve(&mut self) -> Result<(), Failure> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    TIMER => {}
                    Token(number) if number >= LISTENERS => self.accept(number - LISTENERS)?,
                    Token(key) => self.advance(key),
                }
            }
            let now = Instant::now();
            self.finish(now);
            if let Some(Reverse((end, _))) = self.ends.peek() {
                self.alarm.set(*end, now)?;
            }
        }
    }

    fn accept(&mut self, index: usize) -> Result<(), Failure> {
        while let Some(server) = self.servers.get(index) {
            let mut stream = match server.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) if socket::later(&error) => break,
                Err(error) => return Err(format!("cannot accept: {error}").into()),
            };
            stream.set_nodelay(true)?;
            let slot = self.connections.vacant_entry();
            self.poll.registry().register(&mut stream, Token(slot.key()), Interest::READABLE)?;
            slot.insert(Connection { stream, server: index, partial: Vec::new(), queued: false, gone: false });
        }
        Ok(())
    }

    /// Reads what came on a connection.
    fn advance(&mut self, key: usize) {
        while let Some(connection) = self.connections.get_mut(key) {
            match connection.stream.read(&mut self.read) {
                Err(error) if socket::later(&error) => break,
                Ok(bytes) if bytes > 0 => {
                    connection.partial.extend_from_slice(self.read.get(..bytes).unwrap_or(&[]));
                    self.take(key);
                }
                _ => {
                    connection.gone = true;
                    if !connection.queued {
                        self.connections.remove(key);
                    }
                    break;
                }
            }
        }
    }

    /// Takes a complete request from a connection into the queue.
    fn take(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Some(head) = request::head(&connection.partial) else { return };
        let counts = head.path == "/counts";
        connection.partial.clear();
        if counts {
            let taken: Vec<u64> = self.servers.iter().map(|server| server.taken).collect();
            self.write(key, &answer("200 OK", &json!({"taken": taken}).to_string()));
            return;
        }
        let index = connection.server;
        let Some(server) = self.servers.get_mut(index) else { return };
        server.taken += 1;
        if server.failing {
            self.write(key, &answer("500 Internal Server Error", SMALL));
            return;
        }
        connection.queued = true;
        server.queue.push_back(key);
        if server.queue.len() == 1 {
            let end = Instant::now() + server.draws.exponential(server.mean);
            self.ends.push(Reverse((end, index)));
        }
    }

    /// Answers whose service has ended. The next request's begins at that end, however late it is noticed.
    fn finish(&mut self, now: Instant) {
        while let Some(Reverse((end, index))) = self.ends.peek().copied().filter(|Reverse((end, _))| *end <= now) {
            self.ends.pop();
            let Some(server) = self.servers.get_mut(index) else { continue };
            let done = server.queue.pop_front();
            if !server.queue.is_empty() {
                self.ends.push(Reverse((end + server.draws.exponential(server.mean), index)));
            }
            if let Some(key) = done {
                self.answer(key);
            }
        }
    }

    fn answer(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.queued = false;
        if connection.gone {
            self.connections.remove(key);
        } else {
            self.write(key, &answer("200 OK", SMALL));
        }
    }

    /// An answer of a few hundred bytes goes into an empty send buffer whole; a connection that cannot take it is over.
    fn write(&mut self, key: usize, bytes: &[u8]) {
        if self.connections.get_mut(key).is_some_and(|connection| connection.stream.write_all(bytes).is_err()) {
            self.connections.remove(key);
        }
    }
}
