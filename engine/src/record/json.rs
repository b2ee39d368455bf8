//! A record as one line of JSON, for machines. What says nothing for nearly all records (`not_repeated`, an attempt's `why` where it was
//! the first, a discarded answer's `status`) is left out there. Strings are escaped so that any bytes give valid JSON: invalid UTF-8 becomes U+FFFD,
//! control characters (C0, DEL, C1) become `\u00XX`.

use super::digits::{push_integer, push_millis, push_seconds};
use super::stamp::Stamp;
use super::{Attempt, Outcome, Record, Why};

/// Appends the record and a line feed.
pub(super) fn push_line(out: &mut Vec<u8>, record: &Record<'_>, stamp: &mut Stamp) {
    out.extend_from_slice(b"{\"time\":\"");
    stamp.push_date_time(out, record.time);
    out.extend_from_slice(b"\",\"id\":");
    push_known(out, record.id);
    out.extend_from_slice(b",\"client\":");
    push_known(out, record.client.as_bytes());
    out.extend_from_slice(b",\"method\":");
    push_known(out, record.method);
    out.extend_from_slice(b",\"target\":");
    push_known(out, record.target);
    out.extend_from_slice(b",\"host\":");
    push_known(out, record.host);
    out.extend_from_slice(b",\"status\":");
    push_integer(out, u64::from(record.status));
    out.extend_from_slice(b",\"bytes_in\":");
    push_integer(out, record.bytes_in);
    out.extend_from_slice(b",\"bytes_out\":");
    push_integer(out, record.bytes_out);
    out.extend_from_slice(b",\"duration\":");
    push_seconds(out, record.duration);
    out.extend_from_slice(b",\"route\":");
    push_known(out, record.route.unwrap_or_default().as_bytes());
    out.extend_from_slice(b",\"pool\":");
    push_known(out, record.pool.unwrap_or_default().as_bytes());
    push_reason(out, record);
    if let Some(why) = record.not_repeated {
        out.extend_from_slice(b",\"not_repeated\":\"");
        out.extend_from_slice(why.name().as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b",\"attempts\":[");
    for (place, attempt) in record.attempts.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        push_attempt(out, attempt);
    }
    out.extend_from_slice(b"]}\n");
}

fn push_reason(out: &mut Vec<u8>, record: &Record<'_>) {
    out.extend_from_slice(b",\"origin\":\"");
    out.extend_from_slice(record.origin().name().as_bytes());
    match record.cause {
        None => out.extend_from_slice(b"\",\"cause\":null,\"phase\":null"),
        Some(cause) => {
            out.extend_from_slice(b"\",\"cause\":\"");
            out.extend_from_slice(cause.name().as_bytes());
            out.extend_from_slice(b"\",\"phase\":\"");
            out.extend_from_slice(cause.phase().name().as_bytes());
            out.push(b'"');
        }
    }
}

fn push_attempt(out: &mut Vec<u8>, attempt: &Attempt<'_>) {
    out.extend_from_slice(b"{\"endpoint\":");
    push_known(out, attempt.endpoint.as_bytes());
    if attempt.why != Why::First {
        out.extend_from_slice(b",\"why\":\"");
        out.extend_from_slice(attempt.why.name().as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b",\"outcome\":\"");
    out.extend_from_slice(attempt.outcome.name().as_bytes());
    if let Outcome::Discarded(status) = attempt.outcome {
        out.extend_from_slice(b"\",\"status\":");
        push_integer(out, u64::from(status));
    } else {
        out.push(b'"');
    }
    match attempt.outcome.phase() {
        None => out.extend_from_slice(b",\"phase\":null,\"ms\":"),
        Some(phase) => {
            out.extend_from_slice(b",\"phase\":\"");
            out.extend_from_slice(phase.name().as_bytes());
            out.extend_from_slice(b"\",\"ms\":");
        }
    }
    push_millis(out, attempt.took);
    out.push(b'}');
}

/// A string, or null where it is empty.
fn push_known(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.is_empty() {
        out.extend_from_slice(b"null");
        return;
    }
    out.push(b'"');
    escape_json(out, bytes);
    out.push(b'"');
}

/// Appends bytes as the inside of a JSON string.
pub fn escape_json(out: &mut Vec<u8>, bytes: &[u8]) {
    let (plain, rest) = bytes.split_at_checked(plain_prefix(bytes)).unwrap_or((bytes, &[]));
    out.extend_from_slice(plain);
    if !rest.is_empty() {
        push_unusual(out, rest);
    }
}

/// How many bytes at the start are printable ASCII that JSON takes as it is. Looks at eight at a time.
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((word, tail)) = rest.split_first_chunk::<8>() {
        if !is_plain_word(u64::from_ne_bytes(*word)) {
            break;
        }
        rest = tail;
    }
    let last = rest.iter().take_while(|byte| matches!(byte, b' '..=b'~' if !matches!(byte, b'"' | b'\\')));
    bytes.len() - rest.len() + last.count()
}

/// Whether each byte of the word is in `' '..='~'` and neither `"` nor `\`. Works on all bytes at once, by the high bit of each; a carry
/// from one byte into the next needs a byte that is not plain, so it never hides one ("Bit Twiddling Hacks", `hasless` and `haszero`).
const fn is_plain_word(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let low = word.wrapping_sub(ONES * 0x20) & !word;
    let quotes = quote.wrapping_sub(ONES) & !quote;
    let backslashes = backslash.wrapping_sub(ONES) & !backslash;
    let above_tilde = word | word.wrapping_add(ONES);
    (low | quotes | backslashes | above_tilde) & HIGH == 0
}

#[cold]
fn push_unusual(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        push_escaped(out, chunk.valid());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
}

fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let mut start = 0;
    for (place, letter) in text.char_indices() {
        if !letter.is_control() && letter != '"' && letter != '\\' {
            continue;
        }
        out.extend_from_slice(text.get(start..place).unwrap_or_default().as_bytes());
        start = place + letter.len_utf8();
        match letter {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            control => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&hexadecimal(control));
            }
        }
    }
    out.extend_from_slice(text.get(start..).unwrap_or_default().as_bytes());
}

/// The two last hexadecimal digits of a character's number.
pub(super) fn hexadecimal(letter: char) -> [u8; 2] {
    let number = u32::from(letter) as u8;
    [number >> 4, number & 15].map(|digit| if digit < 10 { b'0' + digit } else { b'a' + digit - 10 })
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
