//! The parameters of a query: `name=value` pairs between `&`, percent-encoded, with `+` for a space.

/// Values up to this many bytes are decoded without asking for memory.
const SMALL: usize = 256;

/// Whether any parameter called `name` has a value for which `test` holds; a parameter without `=` has the empty value.
pub(super) fn any(query: &[u8], name: &[u8], mut test: impl FnMut(&[u8]) -> bool) -> bool {
    query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).any(|pair| {
        let (key, value) = match memchr::memchr(b'=', pair).and_then(|at| pair.split_at_checked(at)) {
            Some((key, value)) => (key, value.strip_prefix(b"=").unwrap_or(value)),
            None => (pair, &[][..]),
        };
        Decoded(key).eq(name.iter().copied()) && decoded(value, &mut test)
    })
}

/// What `read` makes of the first value of a parameter called `name`.
pub fn first<T>(query: &[u8], name: &[u8], mut read: impl FnMut(&[u8]) -> T) -> Option<T> {
    let mut found = None;
    any(query, name, |value| {
        found = Some(read(value));
        true
    });
    found
}

fn decoded(raw: &[u8], mut test: impl FnMut(&[u8]) -> bool) -> bool {
    if memchr::memchr2(b'%', b'+', raw).is_none() {
        return test(raw);
    }
    let mut small = [0; SMALL];
    let Some(room) = small.get_mut(..raw.len()) else {
        return test(&Decoded(raw).collect::<Vec<u8>>());
    };
    let mut len = 0;
    for (place, byte) in room.iter_mut().zip(Decoded(raw)) {
        *place = byte;
        len += 1;
    }
    test(room.get(..len).unwrap_or_default())
}

/// Bytes after decoding; a `%` that no two hexadecimal digits follow stands for itself.
struct Decoded<'a>(&'a [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        match (first, rest) {
            (b'+', _) => Some(b' '),
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    self.0 = after;
                    Some(high << 4 | low)
                }
                _ => Some(b'%'),
            },
            (byte, _) => Some(*byte),
        }
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(query: &str, name: &str) -> Vec<String> {
        let mut values = Vec::new();
        any(query.as_bytes(), name.as_bytes(), |value| {
            values.push(String::from_utf8_lossy(value).into_owned());
            false
        });
        values
    }

    #[test]
    fn every_parameter_of_the_name_is_looked_at() {
        assert_eq!(values("a=1&b=2&a=3&&a", "a"), ["1", "3", ""]);
        assert_eq!(values("ab=1", "a"), [""; 0]);
        assert_eq!(values("", ""), [""; 0]);
    }

    #[test]
    fn names_and_values_are_decoded() {
        assert_eq!(values("%61%20b=x+y%2fz", "a b"), ["x y/z"]);
        assert_eq!(values("a=b=c", "a"), ["b=c"]);
    }

    #[test]
    fn a_broken_escape_stands_for_itself() {
        assert_eq!(values("a=%&a=%4&a=%zz&a=100%+", "a"), ["%", "%4", "%zz", "100% "]);
    }

    #[test]
    fn a_value_longer_than_the_buffer_is_decoded_whole() {
        assert_eq!(values(&format!("a=+{}", "x".repeat(SMALL)), "a"), [format!(" {}", "x".repeat(SMALL))]);
    }
}
