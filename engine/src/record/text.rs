//! A record as one line of text, for people: what happened at one glance, and what was tried where it went wrong.

use super::digits::{push_integer, push_readable};
use super::json::{hexadecimal, plain_prefix};
use super::stamp::Stamp;
use super::{Attempt, Outcome, Record, Why};

/// Appends the record and a line feed: time (UTC), status, method, target, pool, endpoint or cause, duration; then the attempts that failed.
pub(super) fn push_line(out: &mut Vec<u8>, record: &Record<'_>, stamp: &mut Stamp) {
    stamp.push_clock(out, record.time);
    out.push(b' ');
    if record.status == 0 {
        out.push(b'-');
    } else {
        push_integer(out, u64::from(record.status));
    }
    for word in [record.method, record.target, record.pool.unwrap_or_default().as_bytes()] {
        out.push(b' ');
        push_word(out, word);
    }
    out.push(b' ');
    match (record.cause, record.attempts.last()) {
        (Some(cause), _) => out.extend_from_slice(cause.name().as_bytes()),
        (None, Some(answered)) => push_word(out, answered.endpoint.as_bytes()),
        (None, None) => out.extend_from_slice(record.origin().name().as_bytes()),
    }
    out.push(b' ');
    push_readable(out, record.duration);
    push_attempts(out, record);
    out.push(b'\n');
}

/// ` tried A, B` for an exchange that failed, ` after A, B` for one that ended well at another endpoint.
fn push_attempts(out: &mut Vec<u8>, record: &Record<'_>) {
    let (mut before, shown) = match (record.cause, record.attempts) {
        (Some(_), attempts) => (" tried ", attempts),
        (None, [earlier @ .., _]) => (" after ", earlier),
        (None, []) => return,
    };
    for attempt in shown {
        out.extend_from_slice(before.as_bytes());
        push_attempt(out, attempt);
        before = ", ";
    }
    if let Some(why) = record.not_repeated {
        out.extend_from_slice(b" not repeated: ");
        out.extend_from_slice(why.name().as_bytes());
    }
}

fn push_attempt(out: &mut Vec<u8>, attempt: &Attempt<'_>) {
    push_word(out, attempt.endpoint.as_bytes());
    out.push(b' ');
    if matches!(attempt.why, Why::Race | Why::Hedge) {
        out.extend_from_slice(attempt.why.name().as_bytes());
        out.push(b' ');
    }
    match attempt.outcome {
        Outcome::Discarded(status) => push_integer(out, u64::from(status)),
        outcome => out.extend_from_slice(outcome.name().as_bytes()),
    }
    out.push(b' ');
    push_readable(out, attempt.took);
}

/// Bytes as they may go to a terminal: nothing moves its cursor, and a blank does not look like the next column.
fn push_word(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.is_empty() {
        out.push(b'-');
        return;
    }
    if plain_prefix(bytes) == bytes.len() && !bytes.contains(&b' ') {
        out.extend_from_slice(bytes);
        return;
    }
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_control() || letter == ' ' || letter == '\\' {
                out.extend_from_slice(b"\\x");
                out.extend_from_slice(&hexadecimal(letter));
            } else {
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::examples::{attempt, record};
    use super::super::{Attempt, Cause, NotRepeated, Outcome, Record, Why};
    use super::{Stamp, push_line};

    fn line(record: &Record<'_>) -> String {
        let mut out = Vec::new();
        push_line(&mut out, record, &mut Stamp::default());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_good_answer_names_its_endpoint() {
        let attempts = [attempt("127.0.0.1:9001", None, 12_000)];

        assert_eq!("12:00:01.123 200 GET /path app 127.0.0.1:9001 12.3ms\n", line(&Record { attempts: &attempts, ..record() }));
    }

    #[test]
    fn a_saved_exchange_names_what_failed_before() {
        let attempts = [attempt("127.0.0.1:9001", Some(Cause::ConnectRefused), 210), attempt("127.0.0.1:9002", None, 12_000)];

        assert_eq!(
            "12:00:01.123 200 GET /path app 127.0.0.1:9002 12.3ms after 127.0.0.1:9001 connect_refused 0.2ms\n",
            line(&Record { attempts: &attempts, ..record() })
        );
    }

    #[test]
    fn a_failure_names_its_cause_and_every_attempt() {
        let attempts = [
            attempt("127.0.0.1:9001", Some(Cause::ConnectRefused), 210),
            attempt("127.0.0.1:9002", Some(Cause::FirstByteTimeout), 60_000_000),
        ];
        let failed = Record {
            status: 504,
            cause: Some(Cause::FirstByteTimeout),
            attempts: &attempts,
            duration: Duration::from_millis(60_001),
            ..record()
        };

        assert_eq!(
            "12:00:01.123 504 GET /path app first_byte_timeout 60.00s \
             tried 127.0.0.1:9001 connect_refused 0.2ms, 127.0.0.1:9002 first_byte_timeout 60.00s\n",
            line(&failed)
        );
    }

    #[test]
    fn a_race_and_a_refusal_to_repeat_are_told() {
        let won = [
            Attempt { outcome: Outcome::Discarded(503), ..attempt("a", None, 1000) },
            Attempt { outcome: Outcome::Cancelled, why: Why::Repeat, ..attempt("b", None, 80_000) },
            Attempt { why: Why::Race, ..attempt("c", None, 20_000) },
        ];
        let lost = [attempt("a", Some(Cause::EndpointUnresponsive), 1000)];
        let failed = Record {
            status: 504,
            cause: Some(Cause::EndpointUnresponsive),
            not_repeated: Some(NotRepeated::NotIdempotent),
            attempts: &lost,
            ..record()
        };

        assert_eq!(
            "12:00:01.123 200 GET /path app c 12.3ms after a 503 1.0ms, b cancelled 80.0ms\n",
            line(&Record { attempts: &won, ..record() })
        );
        assert_eq!(
            "12:00:01.123 504 GET /path app endpoint_unresponsive 12.3ms tried a endpoint_unresponsive 1.0ms not repeated: not_idempotent\n",
            line(&failed)
        );
    }

    #[test]
    fn what_was_never_known_is_a_dash() {
        let malformed =
            Record { status: 400, method: b"", target: b"", pool: None, route: None, cause: Some(Cause::BareLineFeed), ..record() };
        let silent = Record { status: 0, cause: Some(Cause::SendTimeout), ..record() };

        assert_eq!("12:00:01.123 400 - - - bare_line_feed 12.3ms\n", line(&malformed));
        assert_eq!("12:00:01.123 - GET /path app send_timeout 12.3ms\n", line(&silent));
    }

    #[test]
    fn an_answer_of_the_gateways_own_says_so() {
        assert_eq!("12:00:01.123 308 GET /path - gateway 12.3ms\n", line(&Record { status: 308, pool: None, ..record() }));
    }

    #[test]
    fn a_target_cannot_drive_the_terminal() {
        let hostile = Record { target: b"/\x1b[2J \xff\\\xc2\x9b\xc3\xa4\n", ..record() };

        assert_eq!("12:00:01.123 200 GET /\\x1b[2J\\x20\u{fffd}\\x5c\\x9b\u{e4}\\x0a app gateway 12.3ms\n", line(&hostile));
    }

    proptest! {
        #[test]
        fn any_bytes_give_one_line_without_control_characters(target: Vec<u8>, method: Vec<u8>) {
            let text = line(&Record { target: &target, method: &method, ..record() });

            prop_assert_eq!(7, text.split(' ').count());
            prop_assert!(text.ends_with('\n'));
            prop_assert_eq!(1, text.chars().filter(|letter| letter.is_control()).count());
        }
    }
}
