//! What is asked of whom.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

/// Bytes of an answer that are taken in at most, whatever is asked for.
pub(super) const MOST: usize = 64 * 1024;

/// Stands in a request for the address of the endpoint that receives it.
const ADDRESS: &str = "{address}";

/// Probes to be performed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The name of the pool.
    pub pool: Arc<str>,
    /// What each of its endpoints is asked.
    pub probe: ProbeSpec,
    /// Their ids.
    pub endpoints: Vec<String>,
}

/// One kind of probe; what belongs to another kind is not looked at.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ProbeSpec {
    /// A request over HTTP/1.
    Http {
        /// The whole head, up to and including its empty line, each character one byte; `{address}` stands for the endpoint's.
        request: String,
        /// Seconds that all of it may take.
        timeout: f64,
        /// Whether each probe has a connection of its own.
        #[serde(default)]
        fresh: bool,
        /// Bytes of the content wanted back, at most 64 KiB.
        #[serde(default)]
        body: usize,
    },
    /// A connection, and what is said on it.
    Tcp {
        /// Sent first, each character one byte.
        #[serde(default)]
        send: Option<String>,
        /// Bytes that must come at least; what came with them, up to 64 KiB, is the body of the outcome.
        #[serde(default)]
        expect_bytes: usize,
        /// Seconds that all of it may take.
        timeout: f64,
    },
}

/// A probe ready to be performed.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) kind: Kind,
    pub(super) timeout: Duration,
}

#[derive(Debug)]
pub(super) enum Kind {
    Http(Http),
    Tcp { send: Vec<u8>, expect: usize },
}

#[derive(Debug)]
pub(super) struct Http {
    /// What stands between the places of the address.
    parts: Vec<Vec<u8>>,
    pub(super) fresh: bool,
    pub(super) body: usize,
    /// Bytes that the answer's head may take.
    pub(super) max_head: usize,
}

impl Http {
    /// The request as the endpoint of that address receives it.
    pub(super) fn write(&self, out: &mut Vec<u8>, address: &str) {
        let address = if address.starts_with("unix:") { "localhost" } else { address };
        for (place, part) in self.parts.iter().enumerate() {
            if place > 0 {
                out.extend_from_slice(address.as_bytes());
            }
            out.extend_from_slice(part);
        }
    }
}

impl Probe {
    pub(super) fn new(spec: ProbeSpec, max_head: usize) -> Self {
        let (kind, timeout) = match spec {
            ProbeSpec::Http { request, timeout, fresh, body } => {
                let parts = request.split(ADDRESS).map(latin).collect();
                (Kind::Http(Http { parts, fresh, body: body.min(MOST), max_head }), timeout)
            }
            ProbeSpec::Tcp { send, expect_bytes, timeout } => {
                (Kind::Tcp { send: latin(&send.unwrap_or_default()), expect: expect_bytes.min(MOST) }, timeout)
            }
        };
        Self { kind, timeout: Duration::try_from_secs_f64(timeout).unwrap_or_default() }
    }
}

/// The bytes of a text that has one for each character; those that no byte has become question marks.
fn latin(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_control_writes_it() {
        let text = r#"[{"pool": "app", "endpoints": ["a", "b"], "probe": {"kind": "http", "request": "GET / HTTP/1.1\r\n\r\n", "timeout": 1.5}},
                       {"pool": "db", "endpoints": [], "probe": {"kind": "tcp", "request": null, "send": "PING\r\n", "expect_bytes": 5, "timeout": 1}}]"#;
        let orders: Vec<Order> = serde_json::from_str(text).unwrap();
        assert_eq!(orders[0].endpoints, ["a", "b"]);
        let request = "GET / HTTP/1.1\r\n\r\n".to_owned();
        assert_eq!(orders[0].probe, ProbeSpec::Http { request, timeout: 1.5, fresh: false, body: 0 });
        assert_eq!(orders[1].probe, ProbeSpec::Tcp { send: Some("PING\r\n".to_owned()), expect_bytes: 5, timeout: 1.0 });
    }

    #[test]
    fn a_request_names_its_endpoint_wherever_the_address_stands() {
        let request = "GET /{address} HTTP/1.1\r\nHost: {address}\r\nX-\u{e9}: \u{20ac}\r\n\r\n".to_owned();
        let probe = Probe::new(ProbeSpec::Http { request, timeout: -1.0, fresh: false, body: usize::MAX }, 0);
        assert_eq!(probe.timeout, Duration::ZERO);
        let Kind::Http(http) = probe.kind else { unreachable!() };
        assert_eq!(http.body, MOST);
        let mut out = Vec::new();
        http.write(&mut out, "a:1");
        assert_eq!(out, b"GET /a:1 HTTP/1.1\r\nHost: a:1\r\nX-\xe9: ?\r\n\r\n");
        out.clear();
        http.write(&mut out, "unix:/run/a");
        assert!(out.starts_with(b"GET /localhost "), "a path is no host");
    }
}
