//! Reads a request head under rules that leave no two readings (RFC 9112 sections 2 to 5).

use std::mem::MaybeUninit;

use super::fields::{self, Declared, LengthError, MOST_FIELDS};
use crate::message::{FieldName, Length, RequestHead, Span};
use crate::record::Cause;

/// Parses one complete head into `head`, which must be clear.
///
/// # Errors
///
/// The cause that the client is answered with.
pub fn parse(bytes: &[u8], head: &mut RequestHead) -> Result<(), Cause> {
    head.fields.bytes.extend_from_slice(bytes);
    let bytes = &head.fields.bytes;
    let mut slots = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(bytes, &mut slots) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Ok(_) => return Err(Cause::MalformedRequest),
        Err(error) => return Err(cause_of(error, bytes)),
    }
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(Cause::MalformedRequest);
    };
    head.fields.kinds = fields::collect(bytes, parsed.headers, &mut head.fields.list);
    head.method = Span::of(bytes, method.as_bytes());
    head.target = Span::of(bytes, target.as_bytes());
    head.modern = version == 1;
    if method == "CONNECT" {
        return Err(Cause::UnsupportedMethod);
    }
    read_host(head)?;
    read_target(head)?;
    read_connection(head)?;
    head.length = match fields::declared(&head.fields, head.modern) {
        Ok(Declared::Nothing | Declared::Length(0)) => Length::None,
        Ok(Declared::Length(length)) => Length::Known(length),
        Ok(Declared::Chunked) => Length::Framed,
        Err(LengthError::Ambiguous) => return Err(Cause::AmbiguousLength),
        Err(LengthError::UnknownCoding) => return Err(Cause::UnknownTransferCoding),
    };
    Ok(())
}

/// Why a head is too large: its first line alone, or all of it. The same however the head arrived.
#[must_use]
pub fn oversize(data: &[u8], size: usize) -> Cause {
    match memchr::memchr(b'\n', data.get(..size).unwrap_or(data)) {
        None => Cause::TargetTooLong,
        Some(_) => Cause::HeadTooLarge,
    }
}

fn cause_of(error: httparse::Error, bytes: &[u8]) -> Cause {
    match error {
        httparse::Error::TooManyHeaders => Cause::HeadTooLarge,
        httparse::Error::HeaderName | httparse::Error::HeaderValue | httparse::Error::NewLine => Cause::HeaderMalformed,
        httparse::Error::Version if claims_http(bytes) => Cause::UnsupportedVersion,
        _ => Cause::MalformedRequest,
    }
}

/// Whether the first line ends like `HTTP/2.0`, so that the version is at fault; with a version that is served, the line is.
fn claims_http(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let version = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    match version.strip_prefix(b"HTTP/") {
        Some(b"1.0" | b"1.1") => false,
        Some([major, b'.', minor]) => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    }
}

/// Exactly one well-formed `Host`; HTTP/1.0 may leave it out.
fn read_host(head: &mut RequestHead) -> Result<(), Cause> {
    let mut hosts = head.fields.list.iter().filter(|field| field.kind == FieldName::Host);
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => {
            head.authority = host.value;
            head.host = host_of(head.authority, &head.fields.bytes)?;
            Ok(())
        }
        (None, _) if !head.modern => Ok(()),
        _ => Err(Cause::BadHost),
    }
}

/// The host within `HOST[:PORT]`, checked.
fn host_of(authority: Span, bytes: &[u8]) -> Result<Span, Cause> {
    let whole = authority.get(bytes);
    let (host, port) = match whole {
        [b'[', rest @ ..] => {
            let end = rest.iter().position(|byte| *byte == b']').ok_or(Cause::BadHost)?;
            let (address, after) = rest.split_at_checked(end).ok_or(Cause::BadHost)?;
            if address.is_empty() || !address.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')) {
                return Err(Cause::BadHost);
            }
            let port = match after.get(1..).unwrap_or_default() {
                [] => None,
                [b':', port @ ..] => Some(port),
                _ => return Err(Cause::BadHost),
            };
            (whole.get(..end + 2).unwrap_or_default(), port)
        }
        _ => match whole.iter().position(|byte| *byte == b':') {
            Some(colon) => (whole.get(..colon).unwrap_or_default(), whole.get(colon + 1..)),
            None => (whole, None),
        },
    };
    let name_is_fine = host.first() == Some(&b'[') || (!host.is_empty() && host.iter().all(|byte| is_reg_name(*byte)));
    let port_is_fine = port.is_none_or(|port| port.len() <= 5 && port.iter().all(u8::is_ascii_digit));
    if name_is_fine && port_is_fine { Ok(Span::of(bytes, host)) } else { Err(Cause::BadHost) }
}

/// RFC 3986's `reg-name`, less the sub-delimiters that no host name has and that others treat as separators.
#[inline]
fn is_reg_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b'=')
}

/// Origin form, absolute form or `*`.
fn read_target(head: &mut RequestHead) -> Result<(), Cause> {
    let bytes = &head.fields.bytes;
    let target = head.target.get(bytes);
    // No control, space or non-ASCII byte, and no fragment, which is never sent.
    if target.iter().any(|byte| !byte.is_ascii_graphic() || *byte == b'#') {
        return Err(Cause::MalformedRequest);
    }
    let rest = match target {
        [b'/', ..] => target,
        b"*" if head.method.get(bytes) == b"OPTIONS" => {
            head.path = head.target;
            return Ok(());
        }
        _ => {
            let scheme = target.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"http://"));
            let after = if scheme { target.get(7..).unwrap_or_default() } else { return Err(Cause::MalformedRequest) };
            let end = after.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(after.len());
            let (authority, rest) = after.split_at_checked(end).unwrap_or((after, b""));
            // The target's authority outranks Host (RFC 9112 section 3.2.2).
            head.authority = Span::of(bytes, authority);
            head.host = host_of(head.authority, bytes)?;
            rest
        }
    };
    let mark = memchr::memchr(b'?', rest);
    let path = rest.get(..mark.unwrap_or(rest.len())).unwrap_or_default();
    if climbs(path) {
        return Err(Cause::MalformedRequest);
    }
    head.path = Span::of(bytes, path);
    head.query = mark.map(|mark| Span::of(bytes, rest.get(mark + 1..).unwrap_or_default()));
    Ok(())
}

/// Whether a path has a segment `..`, also in disguise. Routes look at the path as sent, a server behind may resolve it: then `/open/../shut`
/// would be routed as one thing and served as another.
fn climbs(path: &[u8]) -> bool {
    if memchr::memmem::find(path, b"..").is_none() && memchr::memchr(b'%', path).is_none() {
        return false;
    }
    path.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| {
        let mut rest = segment;
        let mut dots = 0;
        loop {
            rest = match rest {
                [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
                [] | [b';', ..] => return dots == 2,
                _ => return false,
            };
            dots += 1;
        }
    })
}

fn read_connection(head: &mut RequestHead) -> Result<(), Cause> {
    let options = fields::connection(&head.fields, &mut head.nominated).ok_or(Cause::HeaderMalformed)?;
    head.keep_alive = if head.modern { !options.close } else { options.keep_alive && !options.close };
    if !head.modern {
        return Ok(());
    }
    for field in &head.fields.list {
        let value = || field.value.get(&head.fields.bytes);
        match field.kind {
            FieldName::Upgrade if options.upgrade => head.upgrade = Some(field.value),
            FieldName::Expect => head.expects_continue |= value().eq_ignore_ascii_case(b"100-continue"),
            FieldName::Te => {
                head.takes_trailers |= value().split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(b"trailers"));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Result<RequestHead, Cause> {
        let mut request = RequestHead::default();
        parse(head.as_bytes(), &mut request).map(|()| request)
    }

    fn with(lines: &str) -> Result<RequestHead, Cause> {
        read(&format!("GET / HTTP/1.1\r\n{lines}\r\n"))
    }

    #[test]
    fn the_parts_of_a_request_are_found() {
        let request = read("POST /a/b?c=d?e HTTP/1.1\r\nHost: Example.com:8080\r\nX-A:  b \r\nContent-Length: 3\r\n\r\n").unwrap();
        assert_eq!(request.method(), b"POST");
        assert_eq!((request.path(), request.query()), (&b"/a/b"[..], Some(&b"c=d?e"[..])));
        assert_eq!((request.authority(), request.host()), (&b"Example.com:8080"[..], &b"Example.com"[..]));
        assert_eq!(request.fields.first(b"x-a"), Some(&b"b"[..]));
        assert_eq!(request.length, Length::Known(3));
        assert!(request.keep_alive && request.modern && !request.is_idempotent());
    }

    #[test]
    fn an_absolute_target_names_the_host() {
        let request = read("GET http://b.example:81?x HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
        assert_eq!((request.authority(), request.host()), (&b"b.example:81"[..], &b"b.example"[..]));
        assert_eq!((request.path(), request.query()), (&b""[..], Some(&b"x"[..])));
        for target in ["https://a/", "ftp://a/", "a/", "http://", "http:///x", "http://u@a/", "http://a:b/", "*"] {
            assert!(read(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).is_err(), "{target}");
        }
        assert_eq!(read("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").unwrap().path(), b"*");
    }

    #[test]
    fn a_host_must_be_one_and_well_formed() {
        for good in ["a", "a.b:80", "[::1]", "[::1]:80", "127.0.0.1:1", "a_b"] {
            assert!(with(&format!("Host: {good}\r\n")).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "a@b", "a:b", "a:123456", "[::1", "[::1]x", "[g]", "[]", "a,b", "a\\b", "é"] {
            assert_eq!(with(&format!("Host: {bad}\r\n")).unwrap_err(), Cause::BadHost, "{bad}");
        }
        assert_eq!(with("").unwrap_err(), Cause::BadHost);
        assert_eq!(with("Host: a\r\nhost: a\r\n").unwrap_err(), Cause::BadHost);
        assert!(read("GET / HTTP/1.0\r\n\r\n").is_ok());
        assert_eq!(read("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n").unwrap_err(), Cause::BadHost);
    }

    #[test]
    fn each_malformed_head_has_its_cause() {
        for (head, cause) in [
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Cause::UnsupportedVersion),
            ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", Cause::UnsupportedVersion),
            ("GET / FTP/1.1\r\nHost: a\r\n\r\n", Cause::MalformedRequest),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Cause::MalformedRequest),
            ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", Cause::MalformedRequest),
            ("GET / /b HTTP/1.1\r\nHost: a\r\n\r\n", Cause::MalformedRequest),
            ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", Cause::MalformedRequest),
            ("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", Cause::MalformedRequest),
            ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", Cause::MalformedRequest),
            ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", Cause::UnsupportedMethod),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Cause::HeaderMalformed),
            ("GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n", Cause::HeaderMalformed),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", Cause::HeaderMalformed),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", Cause::HeaderMalformed),
            ("GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", Cause::HeaderMalformed),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", Cause::UnknownTransferCoding),
            ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Cause::AmbiguousLength),
        ] {
            assert_eq!(read(head).unwrap_err(), cause, "{head:?}");
        }
    }

    #[test]
    fn a_connection_is_kept_as_each_version_says() {
        let kept = |head: &str| read(head).unwrap().keep_alive;
        assert!(kept("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(!kept("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n"));
        assert!(!kept("GET / HTTP/1.0\r\n\r\n"));
        assert!(kept("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
    }

    #[test]
    fn a_path_does_not_climb() {
        for path in ["/a/../b", "/..", "/../", "/a/%2e%2E/b", "/a/.%2e", "/a/..;x/b", "/a/..\\b"] {
            assert_eq!(read(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).unwrap_err(), Cause::MalformedRequest, "{path}");
        }
        for path in ["/a/./b", "/a..b", "/...", "/a/..b", "/a%2e", "/?x=/../", "/a/.hidden"] {
            assert!(read(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).is_ok(), "{path}");
        }
    }

    #[test]
    fn no_honest_request_names_hundreds_of_fields_in_connection() {
        let many = |count: usize| with(&format!("Host: a\r\nConnection: {}\r\n", vec!["x-a"; count].join(",")));
        assert_eq!(many(64).unwrap().nominated.len(), 64);
        assert_eq!(many(65).unwrap_err(), Cause::HeaderMalformed);
    }

    #[test]
    fn an_upgrade_counts_only_where_connection_names_it() {
        let request = with("Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n").unwrap();
        assert_eq!(request.upgrade(), Some(&b"websocket"[..]));
        assert_eq!(with("Host: a\r\nUpgrade: websocket\r\n").unwrap().upgrade(), None);
    }
}
