"""Signals of a gateway in the foreground."""

import signal
import threading

import pytest

from forebay import ForebayError
from forebay.control.signals import Signals


def test_signals_are_taken_one_after_the_other_and_given_back() -> None:
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    with Signals() as signals:
        for each in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(each)
        taken = iter(signals)
        assert [next(taken) for _ in range(3)] == [signal.SIGHUP, signal.SIGINT, signal.SIGTERM]
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == before


def test_an_interrupt_is_acted_on_at_once_where_that_was_asked_for() -> None:
    cuts: list[str] = []
    with Signals() as signals:
        signals.on_interrupt = lambda: cuts.append("now")
        signal.raise_signal(signal.SIGINT)
        assert cuts == ["now"]
        signal.raise_signal(signal.SIGTERM)
        assert cuts == ["now"]


def test_other_threads_are_told_what_to_use_instead() -> None:
    raised: list[str] = []

    def enter() -> None:
        try:
            Signals().__enter__()
        except ForebayError as error:
            raised.append(str(error))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert raised == ["run() takes signals, which only the main thread receives; use `with gateway.start() as running:` on other threads"]


def test_the_main_thread_is_asked_for_by_its_identity() -> None:
    assert threading.current_thread() is threading.main_thread(), "these tests need it"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "main_thread", lambda: None)
        with pytest.raises(ForebayError):
            Signals().__enter__()
