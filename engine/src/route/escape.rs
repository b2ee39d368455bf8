//! Percent-encoding of what a client sent before it is put into a path or a `Location`.

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Which bytes stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// What may stand in a request's path; bytes beyond ASCII are passed on as they came.
    Path,
    /// What may stand in a `Location`. A backslash is not among it: browsers take it for a slash.
    Location,
    /// What may stand in a host's name.
    Host,
}

impl Keep {
    fn keeps(self, byte: u8) -> bool {
        match self {
            Self::Path => byte > 0x20 && byte != 0x7f && !matches!(byte, b'?' | b'#'),
            Self::Location => byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>' | b'#'),
            Self::Host => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'),
        }
    }

    pub(super) fn keeps_all(self, text: &[u8]) -> bool {
        text.iter().all(|byte| self.keeps(*byte))
    }

    /// Appends `text`, percent-encoding what may not stand there.
    pub(super) fn push(self, text: &[u8], out: &mut Vec<u8>) {
        for byte in text {
            if self.keeps(*byte) {
                out.push(*byte);
            } else {
                let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
                out.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
}

/// Makes `path` begin with exactly one slash: two would make a browser, or a server, read a host.
pub(super) fn one_slash(path: &mut Vec<u8>) {
    let slashes = path.iter().take_while(|byte| **byte == b'/').count();
    match slashes {
        0 => path.insert(0, b'/'),
        1 => {}
        _ => drop(path.drain(1..slashes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_end_a_line_or_a_path_never_pass() {
        for keep in [Keep::Path, Keep::Location, Keep::Host] {
            let mut out = Vec::new();
            keep.push(&(0..=255).collect::<Vec<u8>>(), &mut out);
            assert!(out.iter().all(|byte| *byte > 0x20 && *byte != 0x7f && *byte != b'#'), "{keep:?}");
        }
    }

    #[test]
    fn a_backslash_does_not_reach_a_browser() {
        let mut out = Vec::new();
        Keep::Location.push(b"/\\evil\xe9", &mut out);
        assert_eq!(out, b"/%5Cevil%E9");
    }

    #[test]
    fn a_path_begins_with_one_slash() {
        for (given, wanted) in [("", "/"), ("a", "/a"), ("/a", "/a"), ("///a//b", "/a//b"), ("//", "/")] {
            let mut path = given.as_bytes().to_vec();
            one_slash(&mut path);
            assert_eq!(path, wanted.as_bytes());
        }
    }
}
