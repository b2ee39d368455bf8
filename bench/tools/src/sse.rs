//! Reader of server-sent events: the delay of each from the server's stamp to its arrival here.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use memchr::memmem;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use pico_args::Arguments;
use serde_json::json;

use crate::Failure;
use crate::histogram::Histogram;
use crate::meter::monotonic;
use crate::options::{Request, none_left, seconds};
use crate::socket;

struct Stream {
    socket: TcpStream,
    sent: usize,
    text: Vec<u8>,
}

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let request = Request::take(&mut arguments)?;
    let connections: usize = arguments.opt_value_from_str("--connections")?.unwrap_or(16);
    let length = seconds(&mut arguments, "--seconds", 5.0)?;
    none_left(arguments)?;
    let mut poll = Poll::new()?;
    let mut streams = Vec::with_capacity(connections);
    for index in 0..connections {
        let mut socket = socket::connect(request.to, None)?;
        poll.registry().register(&mut socket, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        streams.push(Stream { socket, sent: 0, text: Vec::new() });
        // Spread over the 50 ms, so that one stream's events do not queue behind another's.
        std::thread::sleep(Duration::from_micros(50_000 / connections as u64));
    }
    let (mut delays, mut events) = (Histogram::new(), Events::with_capacity(connections));
    let start = Instant::now();
    while start.elapsed() < length {
        poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            if let Some(stream) = streams.get_mut(event.token().0) {
                stream.advance(&request.head, &mut delays)?;
            }
        }
    }
    println!("{}", json!({"delay_us": delays.summary(), "connections": connections, "seconds": length.as_secs_f64()}));
    Ok(())
}

impl Stream {
    fn advance(&mut self, head: &[u8], delays: &mut Histogram) -> Result<(), Failure> {
        while let Some(rest) = head.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.socket.write(rest) {
                Ok(bytes) => self.sent += bytes,
                Err(error) if socket::later(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        let mut buffer = [0; 4096];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Err("the proxy ended an event stream".into()),
                Ok(bytes) => self.text.extend_from_slice(buffer.get(..bytes).unwrap_or(&[])),
                Err(error) if socket::later(&error) => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.events(delays)
    }

    /// Takes the complete events out of the text; chunk framing between them is passed over.
    fn events(&mut self, delays: &mut Histogram) -> Result<(), Failure> {
        let now = monotonic();
        while let Some(end) = memmem::find(&self.text, b"\n\n") {
            let event = self.text.drain(..end + 2).collect::<Vec<u8>>();
            let stamp = memmem::find(&event, b"data: ").and_then(|at| event.get(at + 6..end)).unwrap_or(&[]);
            let stamp: u64 = std::str::from_utf8(stamp)?.parse().map_err(|_| "an event without its stamp")?;
            delays.record(now.saturating_sub(stamp));
        }
        Ok(())
    }
}
