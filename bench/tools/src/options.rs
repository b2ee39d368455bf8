//! The options that several modes share, and the bytes of the request they describe.

use std::net::SocketAddr;
use std::time::Duration;

use pico_args::Arguments;

use crate::Failure;

/// One kind of request, sent again and again.
pub struct Request {
    pub to: SocketAddr,
    /// Method line and fields, the empty line included.
    pub head: Vec<u8>,
    /// Bytes of request body that follow the head.
    pub body: u64,
    /// Length the response body must have; `None` accepts any that is announced.
    pub expect: Option<u64>,
    pub close: bool,
}

impl Request {
    /// Takes `--to --path --method --host --post --expect --header --close` from the command line.
    pub fn take(arguments: &mut Arguments) -> Result<Self, Failure> {
        let to: SocketAddr = arguments.value_from_str("--to")?;
        let path: String = arguments.opt_value_from_str("--path")?.unwrap_or_else(|| "/".into());
        let post: Option<u64> = arguments.opt_value_from_str("--post")?;
        let default = if post.is_some() { "POST" } else { "GET" };
        let method: String = arguments.opt_value_from_str("--method")?.unwrap_or_else(|| default.into());
        let host: String = arguments.opt_value_from_str("--host")?.unwrap_or_else(|| to.to_string());
        let fields: Vec<String> = arguments.values_from_str("--header")?;
        let close = arguments.contains("--close");
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
        for field in &fields {
            head.push_str(field);
            head.push_str("\r\n");
        }
        if let Some(length) = post {
            head = format!("{head}Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n");
        }
        if close {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        let expect = arguments.opt_value_from_str("--expect")?;
        Ok(Self { to, head: head.into_bytes(), body: post.unwrap_or(0), expect, close })
    }
}

/// A duration given in seconds, fractions allowed.
pub fn seconds(arguments: &mut Arguments, name: &'static str, default: f64) -> Result<Duration, Failure> {
    let value: f64 = arguments.opt_value_from_str(name)?.unwrap_or(default);
    Duration::try_from_secs_f64(value).map_err(|error| format!("{name} {value}: {error}").into())
}

/// Fails on any argument nobody took, so that a misspelt option cannot silently change a measurement.
pub fn none_left(arguments: Arguments) -> Result<(), Failure> {
    match arguments.finish().as_slice() {
        [] => Ok(()),
        rest => Err(format!("unknown arguments {rest:?}").into()),
    }
}
