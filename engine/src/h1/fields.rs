//! What the fields of an HTTP/1 head say about its connection and about how its content ends (RFC 9112 sections 6 and 9).

use crate::message::{Field, FieldName, Fields, Span};

/// Fields that a head may carry; more are refused as too large.
pub(super) const MOST_FIELDS: usize = 128;

/// Why a message's length cannot be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LengthError {
    /// Two parties could read different lengths from it.
    Ambiguous,
    /// A transfer coding that is not `chunked`.
    UnknownCoding,
}

/// What the length fields declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Declared {
    Nothing,
    Length(u64),
    Chunked,
}

/// Takes over the parsed fields as places in `bytes`; returns the kinds there are.
pub(super) fn collect(bytes: &[u8], parsed: &[httparse::Header<'_>], list: &mut Vec<Field>) -> u32 {
    list.reserve(parsed.len());
    let mut kinds = 0;
    for header in parsed {
        let name = header.name.as_bytes();
        let kind = FieldName::of(name);
        kinds |= kind.bit();
        list.push(Field { kind, name: Span::of(bytes, name), value: Span::of(bytes, header.value) });
    }
    kinds
}

/// Reads `Content-Length` and `Transfer-Encoding` the one way that cannot be read differently; anything else is an error.
pub(super) fn declared(fields: &Fields, modern: bool) -> Result<Declared, LengthError> {
    let mut length = None;
    for value in fields.values(FieldName::ContentLength) {
        let number = decimal(value).ok_or(LengthError::Ambiguous)?;
        if length.replace(number).is_some_and(|known| known != number) {
            return Err(LengthError::Ambiguous);
        }
    }
    let mut codings =
        fields.values(FieldName::TransferEncoding).flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii).peekable();
    if codings.peek().is_none() {
        return Ok(length.map_or(Declared::Nothing, Declared::Length));
    }
    if length.is_some() || !modern {
        return Err(LengthError::Ambiguous);
    }
    chunked_once(codings)
}

fn chunked_once<'a>(mut codings: std::iter::Peekable<impl Iterator<Item = &'a [u8]>>) -> Result<Declared, LengthError> {
    let mut unknown = false;
    while let Some(coding) = codings.next() {
        if coding.eq_ignore_ascii_case(b"chunked") {
            return match codings.peek() {
                Some(_) => Err(LengthError::Ambiguous),
                None if unknown => Err(LengthError::UnknownCoding),
                None => Ok(Declared::Chunked),
            };
        }
        unknown = true;
    }
    Err(LengthError::Ambiguous)
}

/// Digits only, so that nobody reads `+5`, ` 5` or `5, 5` differently.
fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// What `Connection` says.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct ConnectionOptions {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
}

/// Reads `Connection`; names of other fields in it go to `nominated`.
///
/// `None`: more of them than any honest message names.
pub(super) fn connection(fields: &Fields, nominated: &mut Vec<Span>) -> Option<ConnectionOptions> {
    const MOST: usize = 64;
    let mut options = ConnectionOptions::default();
    for option in fields.values(FieldName::Connection).flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii) {
        match option {
            option if option.eq_ignore_ascii_case(b"close") => options.close = true,
            option if option.eq_ignore_ascii_case(b"keep-alive") => options.keep_alive = true,
            option if option.eq_ignore_ascii_case(b"upgrade") => options.upgrade = true,
            // Framing and routing are never optional; naming them must not remove them.
            option if matches!(FieldName::of(option), FieldName::Other | FieldName::XRequestId) && !option.is_empty() => {
                if nominated.len() == MOST {
                    return None;
                }
                nominated.push(Span::of(&fields.bytes, option));
            }
            _ => {}
        }
    }
    Some(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in lines {
            let start = fields.bytes.len();
            fields.bytes.extend_from_slice(name.as_bytes());
            let middle = fields.bytes.len();
            fields.bytes.extend_from_slice(value.as_bytes());
            fields.push(Field {
                kind: FieldName::of(name.as_bytes()),
                name: Span::new(start, middle),
                value: Span::new(middle, fields.bytes.len()),
            });
        }
        fields
    }

    #[test]
    fn a_length_is_taken_only_where_it_has_one_reading() {
        let te = "Transfer-Encoding";
        let cl = "Content-Length";
        for (lines, expected) in [
            (vec![], Ok(Declared::Nothing)),
            (vec![(cl, "5")], Ok(Declared::Length(5))),
            (vec![(cl, "5"), ("content-length", "5")], Ok(Declared::Length(5))),
            (vec![(cl, "5"), (cl, "6")], Err(LengthError::Ambiguous)),
            (vec![(cl, "5, 5")], Err(LengthError::Ambiguous)),
            (vec![(cl, "+5")], Err(LengthError::Ambiguous)),
            (vec![(cl, "-1")], Err(LengthError::Ambiguous)),
            (vec![(cl, "0x5")], Err(LengthError::Ambiguous)),
            (vec![(cl, "")], Err(LengthError::Ambiguous)),
            (vec![(cl, "18446744073709551616")], Err(LengthError::Ambiguous)),
            (vec![(te, "chunked")], Ok(Declared::Chunked)),
            (vec![(te, "Chunked")], Ok(Declared::Chunked)),
            (vec![(te, "chunked"), (cl, "5")], Err(LengthError::Ambiguous)),
            (vec![(te, "gzip, chunked")], Err(LengthError::UnknownCoding)),
            (vec![(te, "gzip"), (te, "chunked")], Err(LengthError::UnknownCoding)),
            (vec![(te, "chunked, gzip")], Err(LengthError::Ambiguous)),
            (vec![(te, "chunked, chunked")], Err(LengthError::Ambiguous)),
            (vec![(te, "identity")], Err(LengthError::Ambiguous)),
            (vec![(te, "")], Err(LengthError::Ambiguous)),
            (vec![(te, "xchunked")], Err(LengthError::Ambiguous)),
            (vec![(te, "chunked;q=1")], Err(LengthError::Ambiguous)),
        ] {
            assert_eq!(declared(&fields(&lines), true), expected, "{lines:?}");
        }
        assert_eq!(declared(&fields(&[(te, "chunked")]), false), Err(LengthError::Ambiguous), "HTTP/1.0 knows no chunks");
    }

    #[test]
    fn naming_a_framing_field_does_not_remove_it() {
        let mut nominated = Vec::new();
        let fields = fields(&[("Connection", "close, X-Secret, Content-Length, host,, keep-alive")]);
        let options = connection(&fields, &mut nominated).unwrap();
        assert!(options.close && options.keep_alive && !options.upgrade);
        let names: Vec<_> = nominated.iter().map(|span| span.get(&fields.bytes)).collect();
        assert_eq!(names, [b"X-Secret"]);
    }
}
