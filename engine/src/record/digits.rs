//! Numbers as text, appended to a buffer without an allocation.

use std::time::Duration;

/// Appends a whole number.
pub(crate) fn push_integer(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [b'0'; 20];
    let mut unused = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        unused -= 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(unused..).unwrap_or_default());
}

/// The last `N` digits of a number, with leading zeros.
pub(super) fn fixed<const N: usize>(mut value: u64) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    digits
}

/// Appends a duration in seconds, to the microsecond: `0.001234`.
pub(super) fn push_seconds(out: &mut Vec<u8>, duration: Duration) {
    push_integer(out, duration.as_secs());
    out.push(b'.');
    out.extend_from_slice(&fixed::<6>(u64::from(duration.subsec_micros())));
}

/// Appends a duration in milliseconds, to the microsecond: `1.234`.
pub(super) fn push_millis(out: &mut Vec<u8>, duration: Duration) {
    let micros = duration.as_micros() as u64;
    push_integer(out, micros / 1000);
    out.push(b'.');
    out.extend_from_slice(&fixed::<3>(micros));
}

/// Appends a duration for people: `12.3ms` below a second, `3.21s` from there on.
pub(super) fn push_readable(out: &mut Vec<u8>, duration: Duration) {
    let micros = duration.as_micros() as u64;
    let tenths = micros.saturating_add(50) / 100;
    if tenths < 10_000 {
        push_integer(out, tenths / 10);
        out.push(b'.');
        out.extend_from_slice(&fixed::<1>(tenths));
        out.extend_from_slice(b"ms");
    } else {
        let hundredths = micros.saturating_add(5_000) / 10_000;
        push_integer(out, hundredths / 100);
        out.push(b'.');
        out.extend_from_slice(&fixed::<2>(hundredths));
        out.push(b's');
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{push_integer, push_millis, push_readable, push_seconds};

    fn text<V>(push: fn(&mut Vec<u8>, V), value: V) -> String {
        let mut out = Vec::new();
        push(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_readable_duration_changes_its_unit_at_a_second() {
        let readable = |micros| text(push_readable, Duration::from_micros(micros));

        assert_eq!("0.0ms", readable(0));
        assert_eq!("0.1ms", readable(50));
        assert_eq!("12.3ms", readable(12_345));
        assert_eq!("999.9ms", readable(999_949));
        assert_eq!("1.00s", readable(999_950));
        assert_eq!("62.12s", readable(62_123_456));
    }

    #[test]
    fn the_longest_duration_is_written_without_overflow() {
        assert_eq!("18446744073709551615.999999", text(push_seconds, Duration::MAX));
        assert!(text(push_readable, Duration::MAX).ends_with('s'));
    }

    proptest! {
        #[test]
        fn an_integer_reads_back(value: u64) {
            prop_assert_eq!(value.to_string(), text(push_integer, value));
        }

        #[test]
        fn a_duration_reads_back_to_the_microsecond(micros in 0..1_u64 << 50) {
            let duration = Duration::from_micros(micros);

            prop_assert_eq!(format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000), text(push_seconds, duration));
            prop_assert_eq!(format!("{}.{:03}", micros / 1_000, micros % 1_000), text(push_millis, duration));
        }
    }
}
