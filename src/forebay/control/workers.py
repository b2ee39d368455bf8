"""A few daemon threads for calls that block."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

_log = logging.getLogger("forebay.control")


class Workers:
    """Runs functions on at most `limit` threads, made when first needed.

    Not `concurrent.futures`: its threads are joined when the interpreter exits, and a look-up that hangs would hold the exit up.
    """

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, job: Callable[[], None]) -> None:
        """Run `job` on a worker; what it raises is told in the log, and goes no further."""
        self._jobs.put(job)
        if len(self._threads) < self._limit:
            thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Let each worker end after the job it has in hand; does not wait for it."""
        for _ in self._threads:
            self._jobs.put(None)

    def _run(self) -> None:
        while job := self._jobs.get():
            try:
                job()
            except Exception:  # noqa: BLE001 - whatever it is
                # A worker that ended by it would be missed by all jobs to come.
                _log.exception("a job of %s failed", threading.current_thread().name)
