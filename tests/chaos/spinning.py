"""A program that embeds Forebay and keeps the interpreter busy meanwhile: `spinning.py run gateway.toml`, as `forebay` is called.

One thread of it runs Python without a pause, as a program's own work may; it gives the interpreter up only as others insist.
"""

import threading

from forebay.cli import main


def spin() -> None:
    """Run Python for as long as this process lives."""
    number = 0
    while True:
        number += 1


if __name__ == "__main__":
    threading.Thread(target=spin, daemon=True).start()
    main()
