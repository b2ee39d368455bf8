//! Finds the end of a head in what has arrived so far, before anything is parsed.
//!
//! `httparse` takes a lone line feed for a line's end; a server behind may not. So every line feed is looked at here first, once,
//! however slowly the bytes come.

/// What is known of a head that is still arriving.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Scanner {
    /// Bytes looked at.
    seen: usize,
    /// Where the present line starts.
    line: usize,
}

/// The result of looking at all the bytes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    /// The empty line has not come yet.
    Partial,
    /// The head takes this many bytes, its empty line included.
    Complete(usize),
    /// A line feed without a carriage return before it.
    BareLineFeed,
}

impl Scanner {
    /// Looks at the bytes that are new since the last call; `bytes` starts where the head does.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Scan {
        let fresh = bytes.get(self.seen..).unwrap_or_default();
        let from = self.seen;
        for at in memchr::memchr_iter(b'\n', fresh) {
            let feed = from + at;
            if feed == 0 || bytes.get(feed - 1) != Some(&b'\r') {
                return Scan::BareLineFeed;
            }
            if feed - 1 == self.line {
                return Scan::Complete(feed + 1);
            }
            self.line = feed + 1;
        }
        self.seen = bytes.len();
        Scan::Partial
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_at_its_empty_line_however_it_arrives() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
        for step in 1..head.len() {
            let mut scanner = Scanner::default();
            let mut found = None;
            for end in (step..=head.len()).step_by(step).chain([head.len()]) {
                match scanner.scan(&head[..end]) {
                    Scan::Complete(length) => {
                        found = Some(length);
                        break;
                    }
                    Scan::Partial => {}
                    Scan::BareLineFeed => panic!("no bare line feed here"),
                }
            }
            assert_eq!(found, Some(head.len() - 4), "in steps of {step}");
        }
    }

    #[test]
    fn a_lone_line_feed_is_told_wherever_it_stands() {
        for bytes in ["\n", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nA: b\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n\n"] {
            assert_eq!(Scanner::default().scan(bytes.as_bytes()), Scan::BareLineFeed, "{bytes:?}");
        }
    }
}
