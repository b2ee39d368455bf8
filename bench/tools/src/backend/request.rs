//! What the backend reads of a request head: the target and the length of the body.

use memchr::memmem;

/// A complete request head.
#[derive(Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// Bytes of the head, the empty line included.
    pub size: usize,
    pub path: &'a str,
    pub body: u64,
    pub chunked: bool,
}

/// `None` while the head is incomplete.
pub fn head(bytes: &[u8]) -> Option<Head<'_>> {
    let size = memmem::find(bytes, b"\r\n\r\n")? + 4;
    let text = bytes.get(..size)?;
    let line = text.get(..memchr::memchr(b'\r', text)?)?;
    let path = line.split(|&byte| byte == b' ').nth(1).and_then(|path| std::str::from_utf8(path).ok()).unwrap_or("/");
    let length = field(text, b"content-length:").and_then(|value| value.parse().ok());
    let chunked = length.is_none() && field(text, b"transfer-encoding:").is_some();
    Some(Head { size, path, body: length.unwrap_or(0), chunked })
}

/// The value of the first field with this lower-case `name` (colon included).
fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let mut rest = head;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        rest = rest.get(end + 1..)?;
        if rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            let value = rest.get(name.len()..memchr::memchr(b'\r', rest)?)?;
            return std::str::from_utf8(value).ok().map(str::trim);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::head;

    #[test]
    fn path_and_body_length_are_found() {
        let found = head(b"POST /up HTTP/1.1\r\nHost: a\r\nCONTENT-LENGTH: 7\r\n\r\nabc").map(|head| (head.path.to_owned(), head.body));
        assert_eq!(found, Some(("/up".to_owned(), 7)));
    }

    #[test]
    fn a_chunked_body_is_told_apart() {
        let found = head(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").map(|head| head.chunked);
        assert_eq!(found, Some(true));
    }
}
