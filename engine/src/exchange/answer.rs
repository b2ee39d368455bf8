//! Responses of the gateway's own: problems (RFC 9457) that say why, redirects, and fixed responses.

use crate::record::{Cause, escape_json};

/// A whole response.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// 200 to 599.
    pub status: u16,
    /// Without those that frame the content.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// The content.
    pub body: Vec<u8>,
}

impl Answer {
    /// Tells a client why its request was not served. `id` names the request; `name` is the gateway's.
    #[must_use]
    pub fn problem(cause: Cause, id: &[u8], name: &str) -> Self {
        let status = cause.status();
        let mut body = Vec::with_capacity(256);
        body.extend_from_slice(b"{\"type\":\"about:blank\",\"title\":\"");
        body.extend_from_slice(reason(status).as_bytes());
        body.extend_from_slice(format!("\",\"status\":{status},\"detail\":\"").as_bytes());
        escape_json(&mut body, cause.meaning().trim().as_bytes());
        body.extend_from_slice(
            format!("\",\"cause\":\"{}\",\"origin\":\"{}\",\"phase\":\"{}\"", cause.name(), cause.origin().name(), cause.phase().name())
                .as_bytes(),
        );
        if !id.is_empty() {
            body.extend_from_slice(b",\"request_id\":\"");
            escape_json(&mut body, id);
            body.push(b'"');
        }
        body.extend_from_slice(b"}\n");
        let mut fields = vec![
            (b"Content-Type".to_vec(), b"application/problem+json".to_vec()),
            (b"Proxy-Status".to_vec(), proxy_status(cause, name).into_bytes()),
            (b"Cache-Control".to_vec(), b"no-store".to_vec()),
        ];
        if !id.is_empty() {
            fields.push((b"X-Request-Id".to_vec(), id.to_vec()));
        }
        if status == 503 {
            fields.push((b"Retry-After".to_vec(), b"1".to_vec()));
        }
        Self { status, fields, body }
    }

    /// Sends the client elsewhere.
    #[must_use]
    pub fn redirect(status: u16, location: Vec<u8>) -> Self {
        Self { status, fields: vec![(b"Location".to_vec(), location)], body: Vec::new() }
    }

    /// As configured.
    #[must_use]
    pub fn fixed(status: u16, headers: &[(String, String)], body: &str) -> Self {
        let fields = headers.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone().into_bytes())).collect();
        Self { status, fields, body: body.as_bytes().to_vec() }
    }
}

/// RFC 9209: the name of the gateway, the error's registered type, and our own word in `details`.
fn proxy_status(cause: Cause, name: &str) -> String {
    let error = cause.error();
    if error.is_empty() {
        format!("{name}; details=\"{}\"", cause.name())
    } else {
        format!("{name}; error={error}; details=\"{}\"", cause.name())
    }
}

/// The standard phrase of a status (RFC 9110 section 15).
#[must_use]
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Content Too Large",
        414 => "URI Too Long",
        418 => "I'm a teapot",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
