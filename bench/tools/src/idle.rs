//! Idle kept-alive connections: each makes one request, then all are held until standard input closes.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use pico_args::Arguments;
use serde_json::json;

use crate::Failure;
use crate::options::{Request, none_left};
use crate::response;

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let request = Request::take(&mut arguments)?;
    let connections: usize = arguments.opt_value_from_str("--connections")?.unwrap_or(5000);
    none_left(arguments)?;
    let held = (0..connections).map(|_| open(&request)).collect::<Result<Vec<_>, Failure>>()?;
    println!("{}", json!({"held": held.len()}));
    io::stdin().read_to_end(&mut Vec::new())?;
    let closed = held.iter().filter(|stream| ended(stream)).count();
    println!("{}", json!({"closed_by_proxy": closed}));
    Ok(())
}

fn open(request: &Request) -> Result<TcpStream, Failure> {
    let mut stream = TcpStream::connect(request.to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(&request.head)?;
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer)? {
            0 => return Err("the proxy closed a connection that should have been kept".into()),
            bytes => seen.extend_from_slice(buffer.get(..bytes).unwrap_or(&[])),
        }
        if let Some(head) = response::head(&seen) {
            if head.status != 200 {
                return Err(format!("status {} instead of 200", head.status).into());
            }
            if head.length.is_some_and(|length| seen.len() as u64 >= head.size as u64 + length) {
                return Ok(stream);
            }
        }
    }
}

/// True if the peer has closed the connection meanwhile.
fn ended(stream: &TcpStream) -> bool {
    let nothing_yet = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
    stream.set_nonblocking(true).is_err() || !matches!(stream.peek(&mut [0]), Err(error) if nothing_yet(&error))
}
