//! The response head as the generator needs it: status, body length and framing, found without a full parse.

use memchr::memmem;

/// What a complete response head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the head, the empty line included.
    pub size: usize,
    pub status: u16,
    /// `None`: chunked or until the connection closes.
    pub length: Option<u64>,
}

/// `None` while the head is incomplete; status 0 where the first line is not HTTP.
pub fn head(bytes: &[u8]) -> Option<Head> {
    let size = memmem::find(bytes, b"\r\n\r\n")? + 4;
    let text = bytes.get(..size)?;
    let status = text
        .strip_prefix(b"HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0);
    Some(Head { size, status, length: content_length(text) })
}

fn content_length(head: &[u8]) -> Option<u64> {
    let name = b"content-length:";
    let mut rest = head;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        rest = rest.get(end + 1..)?;
        if rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            let line = rest.get(name.len()..memchr::memchr(b'\r', rest)?)?;
            return std::str::from_utf8(line).ok()?.trim().parse().ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Head, head};

    #[test]
    fn a_head_is_read_only_when_complete() {
        let text = b"HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 12\r\n\r\nhello";
        assert_eq!(head(text), Some(Head { size: text.len() - 5, status: 200, length: Some(12) }));
        assert_eq!(head(&text[..40]), None);
    }

    #[test]
    fn a_head_without_a_length_says_so() {
        assert_eq!(head(b"HTTP/1.1 204 No Content\r\n\r\n").and_then(|head| head.length), None);
    }
}
