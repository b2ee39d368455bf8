"""A few threads for calls that block."""

import threading

import pytest

from forebay.control.workers import Workers


def test_jobs_run_on_daemon_threads_and_no_more_of_them_than_allowed() -> None:
    workers, ran = Workers("test-worker", 2), threading.Semaphore(0)
    seen: set[threading.Thread] = set()

    def job() -> None:
        seen.add(threading.current_thread())
        ran.release()

    for _ in range(5):
        workers.submit(job)
    for _ in range(5):
        assert ran.acquire(timeout=10)
    assert {thread.name for thread in seen} <= {"test-worker-0", "test-worker-1"}
    assert all(thread.daemon for thread in seen)
    workers.stop()


def test_a_job_that_hangs_does_not_hold_up_the_next_one_nor_the_stop() -> None:
    workers, never, done = Workers("test-hanging", 2), threading.Event(), threading.Event()
    workers.submit(lambda: void(never.wait(30)))
    workers.submit(done.set)
    assert done.wait(10)
    workers.stop()
    never.set()


def test_a_job_that_raises_is_told_and_ends_no_worker(caplog: pytest.LogCaptureFixture) -> None:
    workers, done = Workers("test-raising", 1), threading.Event()
    workers.submit(lambda: void(1 // 0))
    workers.submit(done.set)
    assert done.wait(10)
    assert [record.message for record in caplog.records] == ["a job of test-raising-0 failed"]
    workers.stop()


def test_without_a_job_there_is_no_thread() -> None:
    Workers("test-idle", 4).stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("test-idle")]


def void(_: object) -> None:
    """A job returns nothing."""
