"""The secret that signs cookies where none is declared: random, and kept in the state directory, so that clients stay over a restart."""

import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from forebay.control.state_dir import SECRET
from forebay.errors import ForebayError

_BYTES: Final = 32
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def fresh() -> bytes:
    """A secret of 32 random bytes that nobody keeps."""
    return secrets.token_bytes(_BYTES)


def kept(directory: Path) -> bytes:
    """The secret of the gateway with this state directory; made, for this user alone (0600), where there is none yet.

    Raises:
        ForebayError: where it cannot be read or written, where others may, or where something else is there.
    """
    path = directory / SECRET
    try:
        if not path.exists():
            _make(path)
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            secret = file.read(_BYTES + 1)
    except OSError as error:
        hint = "let this user read and write there, choose another state_dir, or declare `affinity.secret`"
        raise ForebayError(f"{path}: the secret of the affinity cookies cannot be kept there ({error.strerror})", hint=hint) from error
    if mode & _OTHERS:
        message = f"{path}: others may see the secret of the affinity cookies (mode {mode:04o})"
        raise ForebayError(message, hint="delete it, and another one is made; clients are then given new cookies")
    if len(secret) != _BYTES:
        message = f"{path}: is no secret of {_BYTES} bytes"
        raise ForebayError(message, hint="delete it, and another one is made; clients are then given new cookies")
    return secret


def _make(path: Path) -> None:
    """Under another name first, so that nobody ever reads half of it; who comes second takes the first one's."""
    descriptor, temporary = tempfile.mkstemp(prefix=f"{SECRET}.", dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(fresh())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        Path(temporary).unlink()
