//! The access log: written by one thread, so that no exchange ever waits for a disk or a pipe.
//!
//! Each engine thread fills a [`LogBuffer`] with whole lines and hands it over when it is full or its timer says so. The queue between is
//! bounded: when the writer cannot keep up, a buffer is dropped and its records are counted, and nothing blocks.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::sink::Sink;
use super::stamp::Stamp;
use super::{Record, json, text};

/// A buffer is handed over when it holds this much; it has room for one ordinary record more.
const BATCH_BYTES: usize = 32 * 1024;
const BUFFER_BYTES: usize = BATCH_BYTES + 4 * 1024;
/// Buffers that may wait for the writer: 4.5 MiB, a tenth of a second at 100,000 records a second.
const QUEUE: usize = 128;
/// Empty buffers that are kept; more than these come only from a queue that had filled.
const SPARE: usize = 32;
/// How long `close` waits for a writer that is stuck in a pipe without a reader.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// How a record is written.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Format {
    /// One JSON object to a line.
    Json,
    /// One line for people.
    Text,
}

impl Format {
    /// The format of this name: `json` or `text`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "text" => Some(Self::Text),
            _ => None,
        }
    }
}

/// An open access log and its writer thread. Threads that log drop their buffers before it is closed.
#[derive(Debug)]
pub struct AccessLog {
    format: Format,
    queue: SyncSender<Message>,
    shared: Arc<Shared>,
    writer: Mutex<Option<Writer>>,
}

/// One thread's lines that were not handed over yet; dropping it hands them over.
#[derive(Debug)]
pub struct LogBuffer {
    format: Format,
    bytes: Vec<u8>,
    records: u64,
    stamp: Stamp,
    queue: SyncSender<Message>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Writer {
    thread: JoinHandle<()>,
    /// Closed by the thread's end.
    ended: Receiver<()>,
}

#[derive(Debug, Default)]
struct Shared {
    written: AtomicU64,
    dropped: AtomicU64,
    /// Records in the queue.
    waiting: AtomicU64,
    reopen: AtomicBool,
    closing: AtomicBool,
    /// Buffers to be filled again.
    spare: Mutex<Vec<Vec<u8>>>,
}

#[derive(Debug)]
enum Message {
    Lines {
        bytes: Vec<u8>,
        records: u64,
    },
    /// A flag in `Shared` has changed.
    Look,
}

impl AccessLog {
    /// Opens `stdout`, `stderr` or a file's path and starts the writer. ("off" is the caller's: no log is opened then.)
    ///
    /// # Errors
    /// The system's, when the file cannot be opened, the stream is closed, or no thread can be had.
    pub fn open(target: &str, format: Format) -> io::Result<Self> {
        Self::start(Sink::open(target, Box::new(io::stderr()))?, format)
    }

    fn start(mut sink: Sink, format: Format) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (queue, messages) = sync_channel(QUEUE);
        let (ending, ended) = sync_channel(0);
        let of_writer = Arc::clone(&shared);
        let thread = Builder::new().name("forebay-log".to_owned()).spawn(move || {
            drain(&messages, &of_writer, &mut sink);
            drop(ending);
        })?;
        Ok(Self { format, queue, shared, writer: Mutex::new(Some(Writer { thread, ended })) })
    }

    /// A buffer for one thread.
    #[must_use]
    pub fn buffer(&self) -> LogBuffer {
        LogBuffer {
            format: self.format,
            bytes: self.shared.buffer(),
            records: 0,
            stamp: Stamp::default(),
            queue: self.queue.clone(),
            shared: Arc::clone(&self.shared),
        }
    }

    /// Records that went out.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.shared.written.load(Relaxed)
    }

    /// Records that were lost: the writer could not keep up, or writing failed.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Relaxed)
    }

    /// Has the writer open the file's path anew before it writes on.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, SeqCst);
        self.wake();
    }

    /// Writes what was handed over and ends the writer; later records count as dropped. Returns how many records still waited when it
    /// gave up on a writer that is stuck, after 5 s: 0 in all ordinary cases. Idempotent.
    pub fn close(&self) -> u64 {
        self.close_within(CLOSE_WITHIN)
    }

    fn close_within(&self, limit: Duration) -> u64 {
        let writer = self.writer.lock().ok().and_then(|mut writer| writer.take());
        if let Some(writer) = writer {
            self.shared.closing.store(true, SeqCst);
            self.wake();
            if writer.ended.recv_timeout(limit) != Err(RecvTimeoutError::Timeout) {
                // A writer that panicked has nothing more to give; what it left is in the count below.
                let _ = writer.thread.join();
            }
        }
        self.shared.waiting.load(Relaxed)
    }

    /// A full queue needs no waking: the writer looks at the flags after each message.
    fn wake(&self) {
        let _ = self.queue.try_send(Message::Look);
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.close();
    }
}

impl LogBuffer {
    /// Appends a record, and hands the buffer over if that filled it. Never blocks.
    pub fn push(&mut self, record: &Record<'_>) {
        match self.format {
            Format::Json => json::push_line(&mut self.bytes, record, &mut self.stamp),
            Format::Text => text::push_line(&mut self.bytes, record, &mut self.stamp),
        }
        self.records += 1;
        if self.bytes.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    /// Hands the lines to the writer, or drops and counts them when its queue is full. Never blocks.
    pub fn flush(&mut self) {
        if self.is_empty() {
            return;
        }
        let bytes = std::mem::replace(&mut self.bytes, self.shared.buffer());
        let records = std::mem::take(&mut self.records);
        self.shared.waiting.fetch_add(records, Relaxed);
        let Err(TrySendError::Full(lost) | TrySendError::Disconnected(lost)) = self.queue.try_send(Message::Lines { bytes, records })
        else {
            return;
        };
        self.shared.waiting.fetch_sub(records, Relaxed);
        self.shared.dropped.fetch_add(records, Relaxed);
        if let Message::Lines { bytes, .. } = lost {
            self.shared.recycle(bytes);
        }
    }

    /// Whether everything was handed over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }
}

impl Drop for LogBuffer {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Shared {
    /// An empty buffer. A new one is made rather than waiting for the lock.
    fn buffer(&self) -> Vec<u8> {
        let spare = self.spare.try_lock().ok().and_then(|mut spare| spare.pop());
        spare.unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
    }

    /// Keeps a buffer for the next that needs one, unless an odd record made it grow. Called by engine threads too: never waits.
    fn recycle(&self, mut bytes: Vec<u8>) {
        if bytes.capacity() > 2 * BUFFER_BYTES {
            return;
        }
        bytes.clear();
        match self.spare.try_lock() {
            Ok(mut spare) if spare.len() < SPARE => spare.push(bytes),
            _ => {}
        }
    }
}

/// The writer's life: everything in the queue, then what was still put there while it closed.
fn drain(messages: &Receiver<Message>, shared: &Shared, sink: &mut Sink) {
    while let Ok(message) = messages.recv() {
        handle(message, shared, sink);
        if shared.closing.load(SeqCst) {
            for message in messages.try_iter() {
                handle(message, shared, sink);
            }
            return;
        }
    }
}

fn handle(message: Message, shared: &Shared, sink: &mut Sink) {
    if shared.reopen.swap(false, SeqCst) {
        sink.reopen();
    }
    if let Message::Lines { bytes, records } = message {
        let written = sink.write(&bytes, Instant::now()).min(records);
        shared.written.fetch_add(written, Relaxed);
        shared.dropped.fetch_add(records - written, Relaxed);
        shared.waiting.fetch_sub(records, Relaxed);
        shared.recycle(bytes);
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
