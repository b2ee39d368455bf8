"""How many files this process may have open, which is how many connections it may serve."""

import resource
from contextlib import suppress


def raise_limit() -> int:
    """Raise the soft limit on open files to the hard one, and return what it is then.

    The soft one is often 1,024, for programs that call `select`; a gateway needs two files for each request under way. Where the
    system allows no more (a hard limit without bounds, a sandbox), it stays as it was: accepting pauses when no file is left.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
