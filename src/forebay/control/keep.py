"""Files of a gateway's own in its state directory: written whole or not at all, and never trusted when read."""

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from forebay.errors import ForebayError

T = TypeVar("T")
U = TypeVar("U")

_log = logging.getLogger("forebay.control")


class Kept:
    """The files of one state directory; with None, of a gateway that keeps nothing."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def write(self, name: str, content: bytes) -> None:
        """Have the file hold this: a crash at any moment leaves the old content or the new.

        Raises:
            ForebayError: when it cannot be written; the old content stays.
        """
        if self._directory is None:
            return
        path = self._directory / name
        temporary: str | None = None
        try:
            descriptor, temporary = tempfile.mkstemp(prefix=f"{name}.", dir=path.parent)  # for this user alone
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except OSError as error:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
            hint = "make room there, or let this user write there"
            raise ForebayError(f"{path} cannot be written ({error.strerror})", hint=hint) from error

    def read(self, name: str, parse: Callable[[bytes], T], nothing: U) -> T | U:
        """What the file holds; `nothing` where there is none, and, with one line in the log, where `parse` stumbles over it: it
        was cut short, or another version wrote it.
        """
        if self._directory is None:
            return nothing
        path = self._directory / name
        try:
            value = parse(path.read_bytes())
        except FileNotFoundError:
            return nothing
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            _log.warning("%s is ignored: %s", path, error)
            return nothing
        return value
