//! Readers that take a body at a fixed rate: what a proxy holds for them shows in its memory.

use std::io::Write;
use std::mem::MaybeUninit;
use std::thread;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use pico_args::Arguments;
use serde_json::json;

use crate::Failure;
use crate::options::{Request, none_left, seconds};
use crate::socket;

const TICK: Duration = Duration::from_millis(20);
/// Small, so that the pressure of the slow reader reaches the proxy at once.
const RECEIVE_BUFFER: usize = 64 << 10;

struct Reader {
    stream: TcpStream,
    taken: u64,
    ended: bool,
}

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let request = Request::take(&mut arguments)?;
    let connections: usize = arguments.opt_value_from_str("--connections")?.unwrap_or(100);
    let rate: u64 = arguments.opt_value_from_str("--bytes-per-second")?.unwrap_or(1_000_000);
    let length = seconds(&mut arguments, "--seconds", 5.0)?;
    none_left(arguments)?;
    let mut readers = (0..connections).map(|_| Reader::open(&request)).collect::<Result<Vec<_>, Failure>>()?;
    let mut scratch = vec![MaybeUninit::uninit(); socket::DISCARD];
    let start = Instant::now();
    while start.elapsed() < length {
        let allowed = (start.elapsed().as_secs_f64() * rate as f64) as u64;
        for reader in &mut readers {
            reader.read_up_to(allowed, &mut scratch)?;
        }
        thread::sleep(TICK);
    }
    let bytes: u64 = readers.iter().map(|reader| reader.taken).sum();
    let ended = readers.iter().filter(|reader| reader.ended).count();
    println!("{}", json!({"connections": connections, "bytes": bytes, "ended": ended, "seconds": start.elapsed().as_secs_f64()}));
    Ok(())
}

impl Reader {
    fn open(request: &Request) -> Result<Self, Failure> {
        let mut stream = socket::connect(request.to, Some(RECEIVE_BUFFER))?;
        let given_up = Instant::now() + Duration::from_secs(2);
        while let Err(error) = stream.write_all(&request.head) {
            if !socket::later(&error) || Instant::now() > given_up {
                return Err(format!("cannot send a request to {}: {error}", request.to).into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(Self { stream, taken: 0, ended: false })
    }

    /// Reads until `allowed` bytes were taken in all or the socket is empty.
    fn read_up_to(&mut self, allowed: u64, scratch: &mut [MaybeUninit<u8>]) -> Result<(), Failure> {
        while !self.ended && self.taken < allowed {
            match socket::discard(&self.stream, allowed - self.taken, scratch) {
                Ok(0) => self.ended = true,
                Ok(bytes) => self.taken += bytes as u64,
                Err(error) if socket::later(&error) => break,
                Err(error) => return Err(format!("a slow reader lost its connection: {error}").into()),
            }
        }
        Ok(())
    }
}
