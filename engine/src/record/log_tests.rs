use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::super::Record;
use super::super::examples::{Folder, record};
use super::{AccessLog, BATCH_BYTES, BUFFER_BYTES, Format, LogBuffer, Message, QUEUE, SPARE, Shared, Sink, Stamp, drain};

/// A buffer whose queue nobody empties, with that queue.
fn unattended() -> (LogBuffer, Receiver<Message>, Arc<Shared>) {
    let shared = Arc::new(Shared::default());
    let (queue, messages) = sync_channel(QUEUE);
    let buffer =
        LogBuffer { format: Format::Json, bytes: shared.buffer(), records: 0, stamp: Stamp::default(), queue, shared: Arc::clone(&shared) };
    (buffer, messages, shared)
}

fn dropped(shared: &Shared) -> u64 {
    shared.dropped.load(super::Relaxed)
}

#[test]
fn every_record_of_every_thread_is_written_once() {
    let folder = Folder::new();
    let log = AccessLog::open(&folder.path("access.log"), Format::Json).unwrap();

    thread::scope(|scope| {
        for worker in 0..4 {
            let mut buffer = log.buffer();
            scope.spawn(move || {
                for number in 0..1000_u64 {
                    buffer.push(&Record { bytes_in: worker, bytes_out: number, ..record() });
                    if number % 100 == worker {
                        buffer.flush();
                    }
                }
            });
        }
    });

    assert_eq!(0, log.close());
    assert_eq!((4000, 0), (log.written(), log.dropped()));
    let text = fs::read_to_string(folder.path("access.log")).unwrap();
    let mut seen: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (line["bytes_in"].as_u64().unwrap(), line["bytes_out"].as_u64().unwrap()))
        .collect();
    seen.sort_unstable();
    assert!(seen.into_iter().eq((0..4).flat_map(|worker| (0..1000).map(move |number| (worker, number)))));
}

#[test]
fn a_full_queue_drops_whole_buffers_and_counts_their_records() {
    let (mut buffer, messages, shared) = unattended();
    let mut pushed = 0;
    while dropped(&shared) == 0 {
        buffer.push(&record());
        pushed += 1;
    }
    assert!(buffer.is_empty());
    buffer.push(&record());
    buffer.flush();

    let kept: u64 = messages.try_iter().map(|message| if let Message::Lines { records, .. } = message { records } else { 0 }).sum();
    assert_eq!(pushed + 1, kept + dropped(&shared));
    assert_eq!(kept, shared.waiting.load(super::Relaxed));
}

#[test]
fn room_in_the_queue_ends_the_dropping() {
    let (mut buffer, messages, shared) = unattended();
    for _ in 0..=QUEUE {
        buffer.push(&record());
        buffer.flush();
    }
    assert_eq!(1, dropped(&shared));

    messages.recv().unwrap();
    buffer.push(&record());
    buffer.flush();

    assert_eq!(1, dropped(&shared));
}

#[test]
fn a_buffer_is_handed_over_when_it_is_full_or_told_to_and_not_before() {
    let (mut buffer, messages, _) = unattended();
    buffer.flush();
    buffer.push(&record());
    assert!(!buffer.is_empty() && messages.try_recv().is_err());
    buffer.flush();
    assert!(buffer.is_empty() && matches!(messages.try_recv(), Ok(Message::Lines { records: 1, .. })));

    let mut length = 0;
    while messages.try_recv().is_err() {
        length = buffer.bytes.len();
        buffer.push(&record());
    }
    assert!(length < BATCH_BYTES && buffer.is_empty());
}

#[test]
fn the_steady_state_uses_the_same_buffers_again() {
    let folder = Folder::new();
    let mut sink = Sink::open(&folder.path("access.log"), Box::new(io::sink())).unwrap();
    let (mut buffer, messages, shared) = unattended();
    let mut places = std::collections::HashSet::new();
    for _ in 0..100 {
        buffer.push(&record());
        places.insert(buffer.bytes.as_ptr());
        buffer.flush();
        super::handle(messages.recv().unwrap(), &shared, &mut sink);
    }

    assert_eq!(2, places.len());
    assert_eq!(100, shared.written.load(super::Relaxed));
}

#[test]
fn neither_a_grown_buffer_nor_more_than_a_few_are_kept() {
    let shared = Shared::default();
    shared.recycle(Vec::with_capacity(3 * BUFFER_BYTES));
    assert!(shared.spare.lock().unwrap().is_empty());

    for _ in 0..=SPARE {
        shared.recycle(Vec::with_capacity(BUFFER_BYTES));
    }
    assert_eq!(SPARE, shared.spare.lock().unwrap().len());
}

#[test]
fn a_full_disk_counts_every_record_as_dropped() {
    let log = AccessLog::open("/dev/full", Format::Text).unwrap();
    let mut buffer = log.buffer();
    for _ in 0..3 {
        buffer.push(&record());
        buffer.flush();
    }

    assert_eq!(0, log.close());
    assert_eq!((0, 3), (log.written(), log.dropped()));
}

#[test]
fn what_comes_after_closing_is_counted_as_dropped() {
    let folder = Folder::new();
    let log = AccessLog::open(&folder.path("access.log"), Format::Text).unwrap();
    let mut buffer = log.buffer();
    buffer.push(&record());
    buffer.flush();
    assert_eq!([0, 0], [log.close(), log.close()]);

    buffer.push(&record());
    drop(buffer);

    assert_eq!((1, 1), (log.written(), log.dropped()));
}

#[test]
fn a_log_that_goes_out_of_scope_is_written_to_its_end() {
    let folder = Folder::new();
    let log = AccessLog::open(&folder.path("access.log"), Format::Text).unwrap();
    let mut buffer = log.buffer();
    buffer.push(&record());
    drop(buffer);
    drop(log);

    assert_eq!("12:00:01.123 200 GET /path app gateway 12.3ms\n", fs::read_to_string(folder.path("access.log")).unwrap());
}

#[test]
fn reopen_leaves_a_moved_file_at_once() {
    let folder = Folder::new();
    let log = AccessLog::open(&folder.path("access.log"), Format::Text).unwrap();
    let mut buffer = log.buffer();
    buffer.push(&record());
    buffer.flush();
    while log.written() == 0 {
        thread::yield_now();
    }
    fs::rename(folder.path("access.log"), folder.path("moved")).unwrap();
    log.reopen();
    buffer.push(&record());
    drop(buffer);
    log.close();

    for name in ["moved", "access.log"] {
        assert_eq!(1, fs::read_to_string(folder.path(name)).unwrap().lines().count());
    }
}

#[test]
fn closing_gives_up_on_a_pipe_that_nobody_reads_and_says_what_was_left() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let log = AccessLog::start(Sink::of_stream(ours.into(), Box::new(io::sink())).unwrap(), Format::Json).unwrap();
    let mut buffer = log.buffer();
    // More than a socket takes in, less than the queue.
    let target = vec![b'x'; 1 << 20];
    for _ in 0..8 {
        buffer.push(&Record { target: &target, ..record() });
    }

    let left = log.close_within(Duration::ZERO);
    assert!(left >= 7, "{left}");
    assert_eq!(0, log.dropped());

    drop(theirs);
    drop(buffer);
    let writer_is_gone = || Arc::strong_count(&log.shared) == 1;
    while !writer_is_gone() {
        thread::yield_now();
    }
    assert_eq!(8, log.written() + log.dropped());
}

#[test]
fn a_writer_that_closes_still_empties_its_queue() {
    let folder = Folder::new();
    let mut sink = Sink::open(&folder.path("access.log"), Box::new(io::sink())).unwrap();
    let (mut buffer, messages, shared) = unattended();
    for _ in 0..5 {
        buffer.push(&record());
        buffer.flush();
    }
    shared.closing.store(true, super::SeqCst);
    drain(&messages, &shared, &mut sink);

    assert_eq!((5, 0), (shared.written.load(super::Relaxed), dropped(&shared)));
}

#[test]
fn formats_have_names() {
    assert_eq!([Some(Format::Json), Some(Format::Text), None], ["json", "text", "xml"].map(Format::from_name));
}
