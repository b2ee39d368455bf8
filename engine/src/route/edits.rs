//! Edits of header fields, checked and in lower case once so that a request only compares.

use super::error::Fault;
use crate::snapshot::HeaderEditsSpec;

/// Fields by which a message is framed or a connection is run; they belong to the engine alone.
const ENGINES_OWN: [&[u8]; 6] = [b"connection", b"content-length", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"];

type Field = (Box<[u8]>, Box<[u8]>);

/// What is taken away from a head and what is put in.
#[derive(Debug, Default)]
pub struct HeaderEdits {
    removed: Box<[Box<[u8]>]>,
    set: Box<[Field]>,
}

impl HeaderEdits {
    /// Checks and prepares `spec`; of two settings of one name the later counts. `key` names the edits in a fault.
    pub(super) fn compile(spec: &HeaderEditsSpec, key: &str) -> Result<Self, Fault> {
        let mut set: Vec<Field> = Vec::with_capacity(spec.set.len());
        for (name, value) in &spec.set {
            let name = editable(name).map_err(|why| Fault::new(format!("{key}.set"), why))?;
            if !is_value(value.as_bytes()) {
                return Err(Fault::new(
                    format!("{key}.set"),
                    format!("the value of `{}` has a control character", String::from_utf8_lossy(&name)),
                ));
            }
            set.retain(|(earlier, _)| *earlier != name);
            set.push((name, value.as_bytes().into()));
        }
        let removed = spec.remove.iter().map(|name| editable(name)).collect::<Result<_, _>>();
        Ok(Self { removed: removed.map_err(|why| Fault::new(format!("{key}.remove"), why))?, set: set.into() })
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.set.is_empty()
    }

    /// Whether a field of this name, in any case, is not passed on: removed, or replaced by one that is set.
    #[must_use]
    pub fn removes(&self, name: &[u8]) -> bool {
        self.removed.iter().any(|removed| removed.eq_ignore_ascii_case(name))
            || self.set.iter().any(|(set, _)| set.eq_ignore_ascii_case(name))
    }

    /// The fields to put in, as (lower-case name, value), in their declared order.
    pub fn set(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.set.iter().map(|(name, value)| (&**name, &**value))
    }
}

/// The name in lower case, if it is one and not the engine's own.
pub(super) fn editable(name: &str) -> Result<Box<[u8]>, String> {
    let lower = name.to_ascii_lowercase().into_bytes();
    if !is_token(&lower) {
        return Err(format!("`{name}` is no field name: letters, digits and !#$%&'*+-.^_`|~ only"));
    }
    if ENGINES_OWN.contains(&lower.as_slice()) {
        return Err(format!("`{name}` frames the message or runs the connection and cannot be edited"));
    }
    Ok(lower.into())
}

/// RFC 9110, 5.6.2.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// RFC 9110, 5.5: no control characters but the tab.
pub(super) fn is_value(text: &[u8]) -> bool {
    text.iter().all(|byte| !byte.is_ascii_control() || *byte == b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(set: &[(&str, &str)], remove: &[&str]) -> Result<HeaderEdits, Fault> {
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        HeaderEdits::compile(&HeaderEditsSpec { set, remove: remove.iter().map(|name| (*name).to_owned()).collect() }, "request_headers")
    }

    #[test]
    fn names_are_compared_without_case_and_set_ones_count_as_removed() {
        let edits = edits(&[("X-Set", "1")], &["X-Gone"]).unwrap();
        assert!(edits.removes(b"x-gone") && edits.removes(b"X-GONE") && edits.removes(b"X-SET") && !edits.removes(b"x-kept"));
        assert_eq!(edits.set().collect::<Vec<_>>(), [(&b"x-set"[..], &b"1"[..])]);
        assert!(!edits.is_empty() && HeaderEdits::default().is_empty());
    }

    #[test]
    fn of_two_settings_of_one_name_the_later_counts() {
        let edits = edits(&[("A", "1"), ("b", "2"), ("a", "3")], &[]).unwrap();
        assert_eq!(edits.set().collect::<Vec<_>>(), [(&b"b"[..], &b"2"[..]), (&b"a"[..], &b"3"[..])]);
    }

    #[test]
    fn what_would_break_a_message_is_refused() {
        assert!(edits(&[("x", "a\r\nb: c")], &[]).is_err());
        assert!(edits(&[("x y", "a")], &[]).is_err());
        assert!(edits(&[("Content-Length", "3")], &[]).is_err());
        assert!(edits(&[], &["transfer-encoding"]).is_err());
        assert!(edits(&[], &[""]).is_err());
    }
}
