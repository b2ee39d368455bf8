"""Files of endpoints, watched.

Each is looked at twice a second: one `stat`, about 2 us. That sees what notifications of the kernel miss: network and overlay file
systems, a folder that is swapped by a symbolic link (Kubernetes), a file that does not exist yet.

A file that was replaced (another inode) is whole, and taken at once. One that is written in place is taken when two looks have found it
the same: half of a TOML file can be a valid one with fewer endpoints.
"""

import stat
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from forebay.config.endpoints_file import first_line, parse
from forebay.config.pools import Endpoint
from forebay.control.discovery.answers import Answer, Failed, Found, Nothing
from forebay.errors import ConfigError

EVERY: Final = 0.5
_LARGEST: Final = 64 * 1024 * 1024

_Stamp = tuple[int, ...]
_Report = Callable[[str, Answer[Endpoint]], None]
"""Takes the file as it was declared, and what it says now."""


class Files:
    """Looks after files on a daemon thread of its own, so that a hanging file system delays nothing else.

    Reports what a file says when it is first seen, when that changes, and when it can no longer be read.
    """

    def __init__(self, report: _Report) -> None:
        self._report = report
        self._seen: dict[str, _Stamp | None] = {}
        self._taken: dict[str, _Stamp | None] = {}
        self._last: dict[str, Answer[Endpoint]] = {}
        self._wanted: tuple[str, ...] = ()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def want(self, files: Iterable[str]) -> None:
        """Look after these from now on, once there is a `start`."""
        self._wanted = tuple(sorted(files))

    def start(self) -> None:
        """Have the thread look, where there is anything to look at; may be called again and again."""
        if self._wanted and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="forebay-files", daemon=True)
            self._thread.start()

    def last(self, file: str) -> Answer[Endpoint] | None:
        """What was reported of a file last; None before its first look."""
        return self._last.get(file)

    def stop(self) -> None:
        """Look no more; does not wait for a look that hangs."""
        self._stopping.set()

    def look(self) -> None:
        """Look at each file once."""
        wanted = self._wanted
        for known in (self._seen, self._taken):
            for file in known.keys() - set(wanted):
                known.pop(file)
        for file in self._last.keys() - set(wanted):
            self._last.pop(file)
        for file in wanted:
            self._look_at(file)

    def _look_at(self, file: str) -> None:
        try:
            stamp = _stamp(file)
        except OSError as error:
            if self._taken.get(file, ()) is not None:
                self._seen[file] = self._taken[file] = None
                self._say(file, Failed(f"{file}: cannot be read: {error.strerror}"))
            return
        before, taken = self._seen.get(file), self._taken.get(file)
        self._seen[file] = stamp
        if stamp == taken or (taken is not None and stamp != before and stamp[:2] == taken[:2]):
            return  # as it was taken, or still being written
        self._taken[file] = stamp
        self._say(file, read(file))

    def _say(self, file: str, answer: Answer[Endpoint]) -> None:
        self._last[file] = answer
        self._report(file, answer)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(EVERY)


def read(file: str) -> Answer[Endpoint]:
    """What a file says, at this moment."""
    try:
        with Path(file).expanduser().open("rb") as opened:
            content = opened.read(_LARGEST + 1)
    except OSError as error:
        return Failed(f"{file}: cannot be read: {error.strerror}")
    if len(content) > _LARGEST:
        return Failed(f"{file}: is larger than 64 MiB")
    try:
        endpoints = parse(content, file)
    except ConfigError as error:
        return Failed(first_line(error))
    return Found(endpoints) if endpoints else Nothing(f"{file}: holds no endpoints")


def _stamp(file: str) -> _Stamp:
    """What tells one content from another: device and inode, then size and times in nanoseconds."""
    try:
        found = Path(file).expanduser().stat()
    except RuntimeError as error:  # `~` of somebody whom there is not: it must not end the watching of the others
        raise OSError(0, str(error)) from None
    if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for a writer
        raise OSError(0, "it is no file")
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
