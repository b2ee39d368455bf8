//! Takes HTTP/1 framing off a message's content (RFC 9112 sections 6 and 7).

use super::buffer::Buffer;
use super::scan::{Scan, Scanner};
use crate::message::{FieldName, Length};

/// Bytes of a chunk's size line; extensions are dropped but not without end.
const LONGEST_SIZE_LINE: usize = 1024;

/// Bytes of all trailer fields.
const LARGEST_TRAILERS: usize = 16 * 1024;

/// The framing is not what RFC 9112 allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

#[derive(Debug, Clone, Copy)]
enum State {
    /// Nothing more belongs to this message.
    Ended,
    /// So many bytes are left of it.
    Length(u64),
    /// Whatever comes until the peer closes.
    UntilClose,
    /// A size line comes next.
    ChunkSize,
    /// So many bytes are left of a chunk.
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    /// Trailer fields or the last empty line.
    Trailers(Scanner),
}

/// Where in its framing a message is.
#[derive(Debug)]
pub(super) struct Decoder {
    state: State,
    /// Trailer lines that may be passed on.
    trailers: Vec<u8>,
}

impl Decoder {
    pub(super) fn ended() -> Self {
        Self { state: State::Ended, trailers: Vec::new() }
    }

    /// Starts on a message whose head is consumed.
    pub(super) fn start(&mut self, length: Length) {
        self.trailers.clear();
        self.state = match length {
            Length::None | Length::Known(0) => State::Ended,
            Length::Known(length) => State::Length(length),
            Length::Framed => State::ChunkSize,
            Length::UntilClose => State::UntilClose,
        };
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The peer closed; whether that ends the message properly.
    pub(super) fn close(&mut self) -> bool {
        if matches!(self.state, State::UntilClose) {
            self.state = State::Ended;
        }
        self.has_ended()
    }

    pub(super) fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    /// How many bytes at the front of `input` are content.
    pub(super) fn ready(&self, input: &Buffer) -> usize {
        match self.state {
            State::Length(left) | State::Chunk(left) => usize::try_from(left).unwrap_or(usize::MAX).min(input.len()),
            State::UntilClose => input.len(),
            _ => 0,
        }
    }

    /// Content was taken from `input`.
    pub(super) fn took(&mut self, count: usize) {
        match &mut self.state {
            State::Length(left) => {
                *left -= count as u64;
                if *left == 0 {
                    self.state = State::Ended;
                }
            }
            State::Chunk(left) => {
                *left -= count as u64;
                if *left == 0 {
                    self.state = State::ChunkEnd;
                }
            }
            _ => {}
        }
    }

    /// Reads framing at the front of `input`; true when content is ready or the message has ended, false when more must come.
    pub(super) fn advance(&mut self, input: &mut Buffer) -> Result<bool, Malformed> {
        loop {
            match &mut self.state {
                State::Ended => return Ok(true),
                State::Length(_) | State::UntilClose | State::Chunk(_) => return Ok(!input.is_empty()),
                State::ChunkSize => {
                    let Some((size, line)) = size_line(input.data())? else { return Ok(false) };
                    input.consume(line);
                    self.state = if size == 0 { State::Trailers(Scanner::default()) } else { State::Chunk(size) };
                }
                State::ChunkEnd => match input.data() {
                    [b'\r', b'\n', ..] => {
                        input.consume(2);
                        self.state = State::ChunkSize;
                    }
                    [] | [b'\r'] => return Ok(false),
                    _ => return Err(Malformed),
                },
                State::Trailers(scanner) => match scanner.scan(input.data()) {
                    Scan::Complete(length) if length <= LARGEST_TRAILERS => {
                        read_trailers(input.data().get(..length).unwrap_or_default(), &mut self.trailers)?;
                        input.consume(length);
                        self.state = State::Ended;
                    }
                    Scan::Partial if input.len() <= LARGEST_TRAILERS => return Ok(false),
                    Scan::Complete(_) | Scan::Partial | Scan::BareLineFeed => return Err(Malformed),
                },
            }
        }
    }
}

/// The size and the length of its line, once that is complete.
fn size_line(data: &[u8]) -> Result<Option<(u64, usize)>, Malformed> {
    let Some(feed) = memchr::memchr(b'\n', data) else {
        return if data.len() > LONGEST_SIZE_LINE || !starts_like_a_size(data) { Err(Malformed) } else { Ok(None) };
    };
    let Some([line @ .., b'\r']) = data.get(..feed) else { return Err(Malformed) };
    if line.len() > LONGEST_SIZE_LINE {
        return Err(Malformed);
    }
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (size, extension) = line.split_at_checked(digits).ok_or(Malformed)?;
    let plain = extension.is_empty() || extension.first() == Some(&b';');
    if !plain || size.is_empty() || size.len() > 15 || extension.iter().any(|byte| matches!(byte, 0..=8 | 10..=31 | 127)) {
        return Err(Malformed);
    }
    let text = std::str::from_utf8(size).map_err(|_| Malformed)?;
    let size = u64::from_str_radix(text, 16).map_err(|_| Malformed)?;
    Ok(Some((size, feed + 1)))
}

/// Refuses early what can never become a size line, instead of waiting for more of it.
fn starts_like_a_size(data: &[u8]) -> bool {
    data.first().is_none_or(u8::is_ascii_hexdigit)
}

/// Checks the trailer fields and keeps those that may stand after the content (RFC 9110 section 6.5.1).
fn read_trailers(block: &[u8], kept: &mut Vec<u8>) -> Result<(), Malformed> {
    if block.len() == 2 {
        return Ok(());
    }
    let mut slots = [httparse::EMPTY_HEADER; 32];
    let Ok(httparse::Status::Complete((_, fields))) = httparse::parse_headers(block, &mut slots) else { return Err(Malformed) };
    for field in fields {
        if FieldName::of(field.name.as_bytes()) == FieldName::Other && !is_forbidden(field.name) {
            kept.extend_from_slice(field.name.as_bytes());
            kept.extend_from_slice(b": ");
            kept.extend_from_slice(field.value);
            kept.extend_from_slice(b"\r\n");
        }
    }
    Ok(())
}

/// Fields that change how a message is read, authenticated or stored must come before its content.
fn is_forbidden(name: &str) -> bool {
    const FORBIDDEN: [&str; 12] = [
        "authorization",
        "cache-control",
        "content-encoding",
        "content-range",
        "content-type",
        "cookie",
        "max-forwards",
        "proxy-authenticate",
        "proxy-authorization",
        "set-cookie",
        "www-authenticate",
        "range",
    ];
    FORBIDDEN.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    fn decode(wire: &[u8], step: usize) -> Result<(Vec<u8>, Vec<u8>, usize), Malformed> {
        let mut decoder = Decoder::ended();
        decoder.start(Length::Framed);
        let mut input = Buffer::new(Rc::default(), super::super::buffer::SMALL);
        let mut content = Vec::new();
        for part in wire.chunks(step) {
            input.push(part);
            while decoder.advance(&mut input)? {
                let ready = decoder.ready(&input);
                content.extend_from_slice(&input.data()[..ready]);
                input.consume(ready);
                decoder.took(ready);
                if decoder.has_ended() {
                    break;
                }
            }
        }
        if !decoder.has_ended() {
            return Err(Malformed);
        }
        Ok((content, decoder.trailers().to_vec(), input.len()))
    }

    #[test]
    fn chunks_are_joined_however_they_arrive() {
        let wire =
            b"5\r\nhello\r\n00006;name=\"v;\"\r\n world\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\nTrailer: x\r\n\r\nnext";
        for step in 1..wire.len() {
            let (content, trailers, rest) = decode(wire, step).unwrap();
            assert_eq!(content, b"hello world0123456789");
            assert_eq!(trailers, b"X-Sum: 1\r\n", "framing fields are no trailers");
            assert!(rest <= 4);
        }
    }

    #[test]
    fn a_chunk_that_others_might_read_differently_is_refused() {
        for wire in [
            "5\nhello\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhelloX\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "-5\r\nhello\r\n0\r\n\r\n",
            "\r\nhello\r\n0\r\n\r\n",
            "g\r\nhello\r\n0\r\n\r\n",
            "1000000000000000\r\nhello\r\n0\r\n\r\n",
            "5;a\0b\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
            "5\r\nhello\r\n0\r\nX: y\n\r\n",
            "5\r\nhello\r\n0\r\n",
        ] {
            assert!(decode(wire.as_bytes(), wire.len()).is_err(), "{wire:?}");
        }
    }

    #[test]
    fn trailers_have_a_limit_however_they_arrive() {
        let wire = |size: usize| [b"0\r\nX: ".to_vec(), vec![b'y'; size], b"\r\n\r\n".to_vec()].concat();
        for step in [1000, 20_000, 50_000] {
            assert!(decode(&wire(16_000), step).is_ok());
            assert!(decode(&wire(17_000), step).is_err(), "in steps of {step}");
        }
    }

    #[test]
    fn a_size_line_without_end_is_refused() {
        assert!(decode(&[b'0'; 2000], 2000).is_err());
        let mut long = b"5;".to_vec();
        long.extend_from_slice(&[b'a'; 2000]);
        assert!(decode(&long, 100).is_err());
    }
}
