"""Where each key was declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Path = tuple[str | int, ...]


@dataclass(frozen=True, eq=False)
class Provenance:
    """The file a configuration came from, the line of each of its key paths, and its secrets that are declared as `${NAME}`, as they are
    written there; all empty for one made in Python.

    All are equal to each other: two configurations that say the same are the same, wherever they were read.
    """

    file: str | None = None
    lines: Mapping[Path, int] = field(default_factory=dict)
    references: Mapping[Path, str] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Provenance)

    def __hash__(self) -> int:
        return 0

    def line(self, path: Path) -> int | None:
        """The line of a key, or of the innermost table around it that the file has; None where the file has none of them."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None
