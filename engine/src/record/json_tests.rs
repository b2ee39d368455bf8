use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::examples::{attempt, record};
use super::super::{Attempt, Cause, NotRepeated, Outcome, Record, WallTime, Why};
use super::{Stamp, escape_json, plain_prefix, push_line};

fn line(record: &Record<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    push_line(&mut out, record, &mut Stamp::default());
    out
}

/// What a reader of the log makes of bytes: lossy UTF-8, null for none.
fn read_as(bytes: &[u8]) -> Value {
    if bytes.is_empty() { Value::Null } else { String::from_utf8_lossy(bytes).into() }
}

#[test]
fn a_record_is_one_line_with_every_field_in_order() {
    let attempts = [attempt("127.0.0.1:9001", Some(Cause::ConnectRefused), 210), attempt("127.0.0.1:9002", None, 12_000)];

    assert_eq!(
        concat!(
            r#"{"time":"2026-01-31T12:00:01.123Z","id":"0198f3c2a7b04d6e","client":"192.0.2.7","method":"GET","target":"/path","#,
            r#""host":"app.example.com","status":200,"bytes_in":120,"bytes_out":4321,"duration":0.012345,"route":"all","pool":"app","#,
            r#""origin":"upstream","cause":null,"phase":null,"attempts":["#,
            r#"{"endpoint":"127.0.0.1:9001","outcome":"connect_refused","phase":"connect","ms":0.210},"#,
            r#"{"endpoint":"127.0.0.1:9002","outcome":"ok","phase":null,"ms":12.000}]}"#,
            "\n"
        ),
        String::from_utf8(line(&Record { attempts: &attempts, ..record() })).unwrap()
    );
}

#[test]
fn a_failure_carries_cause_phase_and_origin() {
    let failed = Record { status: 499, cause: Some(Cause::ClientAbort), ..record() };
    let read: Value = serde_json::from_slice(&line(&failed)).unwrap();

    assert_eq!(json!(["client_abort", "wait", "client"]), json!([read["cause"], read["phase"], read["origin"]]));
}

#[test]
fn a_race_a_discarded_answer_and_a_refusal_to_repeat_are_told() {
    let attempts = [
        Attempt { outcome: Outcome::Discarded(503), ..attempt("a", None, 1000) },
        Attempt { why: Why::Race, outcome: Outcome::Cancelled, ..attempt("b", None, 2000) },
    ];
    let text = String::from_utf8(line(&Record { not_repeated: Some(NotRepeated::Budget), attempts: &attempts, ..record() })).unwrap();

    let expected = concat!(
        r#""phase":null,"not_repeated":"budget","attempts":["#,
        r#"{"endpoint":"a","outcome":"discarded","status":503,"phase":null,"ms":1.000},"#,
        r#"{"endpoint":"b","why":"race","outcome":"cancelled","phase":null,"ms":2.000}]}"#,
    );
    assert!(text.contains(expected), "{text}");
}

#[test]
fn an_answer_of_the_gateways_own_has_the_gateway_as_origin() {
    let read: Value = serde_json::from_slice(&line(&record())).unwrap();

    assert_eq!(json!("gateway"), read["origin"]);
}

#[test]
fn control_characters_quotes_and_broken_text_are_escaped() {
    let hostile = Record { target: b"/\"\\\n\r\t\0\x1b\x7f\xc2\x9b\xff\xe4\xb8\xc3\xa4", ..record() };
    let text = String::from_utf8(line(&hostile)).unwrap();

    assert!(text.contains(r#""target":"/\"\\\n\r\t\u0000\u001b\u007f\u009b\ufffd\ufffd"#), "{text}");
    assert!(text.contains("\\ufffd\u{e4}\""), "{text}");
}

#[test]
fn each_byte_is_found_at_each_place_of_a_word() {
    for byte in 0..=255_u8 {
        let plain = (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
        for place in 0..19 {
            for filler in [b' ', b'a', b'~', b'!', b'#', b'[', b']'] {
                let mut bytes = [filler; 19];
                bytes[place] = byte;

                assert_eq!(if plain { 19 } else { place }, plain_prefix(&bytes), "byte {byte} at {place}");
            }
        }
    }
}

proptest! {
    #[test]
    fn escaped_bytes_are_the_inside_of_a_string(bytes: Vec<u8>) {
        let mut out = b"\"".to_vec();
        escape_json(&mut out, &bytes);
        out.push(b'"');

        prop_assert_eq!(String::from_utf8_lossy(&bytes), serde_json::from_slice::<String>(&out).unwrap());
    }

    #[test]
    fn a_prefix_is_plain_up_to_the_first_byte_that_is_not(bytes: Vec<u8>) {
        let first = bytes.iter().position(|byte| !(b' '..=b'~').contains(byte) || *byte == b'"' || *byte == b'\\');

        prop_assert_eq!(first.unwrap_or(bytes.len()), plain_prefix(&bytes));
    }

    #[test]
    fn any_bytes_read_back_from_one_line(id: Vec<u8>, method: Vec<u8>, target: Vec<u8>, host: Vec<u8>, pool: String, endpoint: String) {
        let attempts = [attempt(&endpoint, None, 7)];
        let odd = Record { id: &id, method: &method, target: &target, host: &host, pool: Some(&pool), attempts: &attempts, ..record() };
        let written = line(&odd);
        let read: Value = serde_json::from_slice(&written).unwrap();

        for (key, bytes) in [("id", &id[..]), ("method", &method), ("target", &target), ("host", &host), ("pool", pool.as_bytes())] {
            prop_assert_eq!(read_as(bytes), read[key].clone());
        }
        prop_assert_eq!(read_as(endpoint.as_bytes()), read["attempts"][0]["endpoint"].clone());
        prop_assert_eq!(1, written.iter().filter(|byte| **byte < b' ').count());
    }

    #[test]
    fn any_numbers_read_back(status: u16, bytes_in: u64, bytes_out: u64, micros in 0..1_u64 << 40, millis in 0..1000_u16) {
        let duration = Duration::from_micros(micros);
        let odd = Record { status, bytes_in, bytes_out, duration, time: WallTime { seconds: 0, millis }, ..record() };
        let read: Value = serde_json::from_slice(&line(&odd)).unwrap();

        prop_assert_eq!(json!([status, bytes_in, bytes_out]), json!([read["status"], read["bytes_in"], read["bytes_out"]]));
        prop_assert!((read["duration"].as_f64().unwrap() - duration.as_secs_f64()).abs() < 1e-6);
        prop_assert_eq!(json!(format!("1970-01-01T00:00:00.{millis:03}Z")), read["time"].clone());
    }

    #[test]
    fn any_cause_reads_back(cause in proptest::sample::select(Cause::ALL)) {
        let attempts = [attempt("a", Some(cause), 7)];
        let read: Value = serde_json::from_slice(&line(&Record { cause: Some(cause), attempts: &attempts, ..record() })).unwrap();

        prop_assert_eq!(Some(cause), read["cause"].as_str().and_then(Cause::from_name));
        prop_assert_eq!(Some(cause), read["attempts"][0]["outcome"].as_str().and_then(Cause::from_name));
        prop_assert_eq!(json!([cause.phase().name(), cause.origin().name()]), json!([read["phase"], read["origin"]]));
    }
}
