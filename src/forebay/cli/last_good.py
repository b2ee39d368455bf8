"""What a gateway served last, found without its configuration, which may be at fault."""

import os
import time
import tomllib
from pathlib import Path

from forebay.control import state_dir
from forebay.control.history import Entry, History
from forebay.control.source import Source, named


def last_good(text: str) -> tuple[Source, Entry] | None:
    """The source that `text` names, and the configuration that it served last; None where no history of it is kept."""
    source = named(text)
    for directory in state_dir.places(_declared(source.path), source.name, os.environ):
        entry = History(directory, time.time).last_good() if directory.is_dir() else None
        if entry is not None:
            return source, entry
    return None


def _declared(path: Path) -> str | None:
    """The `state_dir` of a file, as far as that can be read."""
    try:
        gateway = tomllib.loads(path.read_text()).get("gateway", {})
        declared = gateway.get("state_dir")
    except (OSError, ValueError, AttributeError):  # the file is at fault, which is why this is asked
        return None
    return declared if isinstance(declared, str) else None
