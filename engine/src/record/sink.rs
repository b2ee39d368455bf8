//! Where the access log goes: a stream or a file, whole lines at a time. A file that was moved away, deleted or replaced is followed.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How often the file's name is looked up at most.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// For a stream that someone else made non-blocking: how often, and how many times without progress, to try again.
const RETRY_AFTER: Duration = Duration::from_millis(1);
const RETRIES: u32 = 2000;

/// An open target of the access log.
pub(super) struct Sink {
    /// As declared, for messages.
    name: String,
    file: File,
    /// None for a stream.
    path: Option<PathBuf>,
    /// Device and inode of `file`.
    identity: (u64, u64),
    checked: Option<Instant>,
    /// The last write ended within a line.
    torn: bool,
    /// The present trouble has been said.
    told: bool,
    complaints: Box<dyn Write + Send>,
}

impl Sink {
    /// Opens `stdout`, `stderr` or a file's path; a file is appended to, and created with mode 0640.
    ///
    /// # Errors
    /// The system's, when the file cannot be opened or the stream is closed.
    pub(super) fn open(target: &str, complaints: Box<dyn Write + Send>) -> io::Result<Self> {
        let (file, path) = match target {
            "stdout" => (File::from(io::stdout().as_fd().try_clone_to_owned()?), None),
            "stderr" => (File::from(io::stderr().as_fd().try_clone_to_owned()?), None),
            path => (append_to(Path::new(path))?, Some(PathBuf::from(path))),
        };
        let identity = identity(&file.metadata()?);
        Ok(Self { name: target.to_owned(), file, path, identity, checked: None, torn: false, told: false, complaints })
    }

    /// Writes lines, each with its line feed; returns how many went out whole. What failed is said once and forgotten.
    pub(super) fn write(&mut self, lines: &[u8], now: Instant) -> u64 {
        self.follow(now);
        if self.torn {
            let (_, outcome) = write_all(&mut self.file, b"\n");
            if let Err(error) = outcome {
                self.complain("written", &error);
                return 0;
            }
            self.torn = false;
        }
        let (sent, outcome) = write_all(&mut self.file, lines);
        let sent = lines.get(..sent).unwrap_or(lines);
        self.torn = sent.last().is_some_and(|last| *last != b'\n');
        if let Err(error) = outcome {
            self.complain("written", &error);
        }
        memchr::memchr_iter(b'\n', sent).count() as u64
    }

    /// Opens the file's path anew; on an error the old file stays. Does nothing to a stream.
    pub(super) fn reopen(&mut self) {
        let Some(path) = &self.path else { return };
        match append_to(path).and_then(|file| Ok((identity(&file.metadata()?), file))) {
            Ok((identity, file)) => {
                // Another file has no torn line, and its troubles are its own.
                if identity != self.identity {
                    (self.torn, self.told) = (false, false);
                }
                (self.identity, self.file) = (identity, file);
            }
            Err(error) => self.complain("opened anew", &error),
        }
    }

    /// Opens the path anew if it no longer leads to the open file. Looks at most once a second.
    fn follow(&mut self, now: Instant) {
        let Some(path) = &self.path else { return };
        if self.checked.is_some_and(|last| now.saturating_duration_since(last) < CHECK_EVERY) {
            return;
        }
        self.checked = Some(now);
        let moved = match std::fs::metadata(path) {
            Ok(metadata) => identity(&metadata) != self.identity,
            Err(error) => error.kind() == ErrorKind::NotFound,
        };
        if moved {
            self.reopen();
        }
    }

    fn complain(&mut self, what: &str, error: &io::Error) {
        if !self.told {
            self.told = true;
            // Where even this cannot be written, the counters still tell.
            let _ = writeln!(
                self.complaints,
                "forebay: the access log {} cannot be {what}: {error}. Records that are lost are counted as dropped.",
                self.name
            );
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Writes as much as it can; returns how many bytes that was, with the error that ended it.
fn write_all(file: &mut File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut sent = 0;
    let mut retries = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        match file.write(rest) {
            Ok(0) => return (sent, Err(ErrorKind::WriteZero.into())),
            Ok(count) => (sent, retries) = (sent + count, 0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && retries < RETRIES => {
                retries += 1;
                thread::sleep(RETRY_AFTER);
            }
            Err(error) => return (sent, Err(error)),
        }
    }
    (sent, Ok(()))
}

#[cfg(test)]
impl Sink {
    /// A stream of the test's own, as if it were standard output.
    pub(super) fn of_stream(stream: std::os::fd::OwnedFd, complaints: Box<dyn Write + Send>) -> io::Result<Self> {
        Ok(Self { file: File::from(stream), ..Self::open("stdout", complaints)? })
    }
}

#[cfg(test)]
#[path = "sink_tests.rs"]
mod tests;
