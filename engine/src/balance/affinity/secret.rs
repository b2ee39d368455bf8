//! Bytes that must not be seen.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// See the module; hexadecimal digits on the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// What it is.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(...)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(digit.into(), 16));
        serializer.serialize_str(&digits.collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
            [high, low] => digit(high).zip(digit(low)).map(|(high, low)| (high * 16 + low) as u8),
            _ => None,
        });
        // The error says nothing of what was there.
        let bytes = pairs.collect::<Option<Box<[u8]>>>().ok_or_else(|| D::Error::custom("a secret is not in hexadecimal digits"))?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_back_from_the_wire_and_is_never_shown() {
        let secret = Secret::from(&b"\x00\x9fsecret"[..]);
        let wire = serde_json::to_string(&secret).unwrap();
        assert_eq!(wire, "\"009f736563726574\"");
        assert_eq!(serde_json::from_str::<Secret>(&wire).unwrap(), secret);
        assert_eq!(format!("{secret:?}"), "Secret(...)");
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_told() {
        for wire in ["\"abc\"", "\"hunter2!\"", "\"p\u{e4}sswort\""] {
            let error = serde_json::from_str::<Secret>(wire).unwrap_err().to_string();
            assert!(error.starts_with("a secret is not in hexadecimal digits"), "{error}");
        }
    }
}
