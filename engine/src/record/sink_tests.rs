use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::super::examples::Folder;
use super::Sink;

const SECOND: Duration = Duration::from_secs(1);

/// Keeps what was complained about.
#[derive(Clone, Default)]
struct Complaints(Arc<Mutex<Vec<u8>>>);

impl Complaints {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Complaints {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn open(target: &str) -> (Sink, Complaints) {
    let complaints = Complaints::default();
    (Sink::open(target, Box::new(complaints.clone())).unwrap(), complaints)
}

/// A sink on one end of a socket pair, as if it were standard output.
fn stream() -> (Sink, UnixStream, Complaints) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let complaints = Complaints::default();
    (Sink::of_stream(ours.into(), Box::new(complaints.clone())).unwrap(), theirs, complaints)
}

#[test]
fn a_file_is_appended_to_and_readable_by_its_group_alone() {
    let folder = Folder::new();
    let path = folder.path("access.log");
    assert_eq!(1, open(&path).0.write(b"one\n", Instant::now()));
    assert_eq!(2, open(&path).0.write(b"two\nthree\n", Instant::now()));

    assert_eq!("one\ntwo\nthree\n", fs::read_to_string(&path).unwrap());
    assert_eq!(0, fs::metadata(&path).unwrap().permissions().mode() & 0o137);
}

#[test]
fn a_moved_file_is_left_within_a_second_and_no_line_is_lost() {
    let folder = Folder::new();
    let (path, moved) = (folder.path("access.log"), folder.path("access.log.1"));
    let (mut sink, complaints) = open(&path);
    let start = Instant::now();

    sink.write(b"one\n", start);
    fs::rename(&path, &moved).unwrap();
    sink.write(b"two\n", start + SECOND / 2);
    sink.write(b"three\n", start + SECOND);

    assert_eq!("one\ntwo\n", fs::read_to_string(&moved).unwrap());
    assert_eq!("three\n", fs::read_to_string(&path).unwrap());
    assert_eq!("", complaints.text());
}

#[test]
fn a_deleted_file_is_created_again() {
    let folder = Folder::new();
    let path = folder.path("access.log");
    let (mut sink, _) = open(&path);
    let start = Instant::now();

    sink.write(b"one\n", start);
    fs::remove_file(&path).unwrap();
    sink.write(b"two\n", start + SECOND);

    assert_eq!("two\n", fs::read_to_string(&path).unwrap());
}

#[test]
fn a_file_that_another_took_the_place_of_is_left_for_it() {
    let folder = Folder::new();
    let path = folder.path("access.log");
    let (mut sink, _) = open(&path);
    let start = Instant::now();

    sink.write(b"one\n", start);
    fs::write(folder.path("new"), "header\n").unwrap();
    fs::rename(folder.path("new"), &path).unwrap();
    sink.write(b"two\n", start + SECOND);

    assert_eq!("header\ntwo\n", fs::read_to_string(&path).unwrap());
}

#[test]
fn a_truncated_file_is_written_from_its_start() {
    let folder = Folder::new();
    let path = folder.path("access.log");
    let (mut sink, _) = open(&path);
    let start = Instant::now();

    sink.write(b"one\n", start);
    File::create(&path).unwrap();
    sink.write(b"two\n", start);

    assert_eq!("two\n", fs::read_to_string(&path).unwrap());
}

#[test]
fn opening_anew_does_not_wait_for_the_second_to_pass() {
    let folder = Folder::new();
    let path = folder.path("access.log");
    let (mut sink, _) = open(&path);
    let start = Instant::now();

    sink.write(b"one\n", start);
    fs::rename(&path, folder.path("access.log.1")).unwrap();
    sink.reopen();
    sink.write(b"two\n", start);

    assert_eq!("two\n", fs::read_to_string(&path).unwrap());
}

#[test]
fn while_the_folder_is_gone_the_old_file_is_kept_and_each_loss_is_said_once() {
    let folder = Folder::new();
    fs::create_dir(folder.path("logs")).unwrap();
    let path = folder.path("logs/access.log");
    let (mut sink, complaints) = open(&path);
    let start = Instant::now();

    fs::rename(folder.path("logs"), folder.path("old")).unwrap();
    for second in 0..5 {
        assert_eq!(1, sink.write(b"line\n", start + SECOND * second));
    }
    assert_eq!("line\n".repeat(5), fs::read_to_string(folder.path("old/access.log")).unwrap());
    assert_eq!(1, complaints.text().lines().count());
    assert!(complaints.text().contains("cannot be opened anew: No such file"), "{}", complaints.text());

    fs::create_dir(folder.path("logs")).unwrap();
    sink.write(b"again\n", start + SECOND * 5);
    assert_eq!("again\n", fs::read_to_string(&path).unwrap());

    fs::remove_dir_all(folder.path("logs")).unwrap();
    sink.write(b"lost\n", start + SECOND * 6);
    assert_eq!(2, complaints.text().lines().count());
}

#[test]
fn a_full_disk_is_said_once_and_nothing_counts_as_written() {
    let (mut sink, complaints) = open("/dev/full");

    for _ in 0..3 {
        assert_eq!(0, sink.write(b"one\ntwo\n", Instant::now()));
    }
    assert_eq!(1, complaints.text().lines().count());
    assert!(complaints.text().starts_with("forebay: the access log /dev/full cannot be written: No space left"), "{}", complaints.text());
}

#[test]
fn a_reader_that_left_is_said_once_and_ends_nothing() {
    let (mut sink, theirs, complaints) = stream();
    drop(theirs);

    assert_eq!([0, 0], [sink.write(b"one\n", Instant::now()), sink.write(b"two\n", Instant::now())]);
    assert_eq!(1, complaints.text().matches("Broken pipe").count());
}

#[test]
fn a_line_that_was_cut_off_does_not_spoil_the_next() {
    let folder = Folder::new();
    let path = folder.path("access.log");
    let (mut sink, _) = open(&path);
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let whole = std::mem::replace(&mut sink.file, File::from(OwnedFd::from(ours)));
    // More than a socket takes in: the write is under way when its reader leaves.
    let reader = thread::spawn(move || theirs.read_exact(&mut [0; 1000]).unwrap());
    let line = [vec![b'x'; 8 << 20], b"\n".to_vec()].concat();

    assert_eq!(0, sink.write(&line, Instant::now()));
    reader.join().unwrap();
    assert!(sink.torn);
    sink.file = whole;
    assert_eq!(1, sink.write(b"next\n", Instant::now()));
    assert_eq!("\nnext\n", fs::read_to_string(&path).unwrap());
}

#[test]
fn a_stream_that_someone_made_non_blocking_loses_nothing() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut sink = Sink::of_stream(ours.into(), Box::new(io::sink())).unwrap();
    let lines = b"line\n".repeat(1 << 19);
    let reader = thread::spawn(move || {
        let mut read = Vec::new();
        theirs.read_to_end(&mut read).unwrap();
        read
    });

    assert_eq!(1 << 19, sink.write(&lines, Instant::now()));
    drop(sink);
    assert!(lines == reader.join().unwrap());
}

#[test]
fn a_path_that_cannot_be_opened_is_an_error() {
    assert!(Sink::open("/nowhere/access.log", Box::new(io::sink())).is_err());
    assert!(Sink::open("/", Box::new(io::sink())).is_err());
}
