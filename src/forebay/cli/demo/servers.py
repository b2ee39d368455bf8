"""The demo's servers: real processes, to be killed for real."""

import subprocess
import sys
from pathlib import Path
from typing import Self

from forebay.errors import ForebayError

_SCRIPT = Path(__file__).with_name("server.py")


class Server:
    """One server in a process of its own, which keeps its address over a restart. Entered, it runs; left, it does not."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process, while it runs."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start it and wait until it listens.

        Raises:
            ForebayError: when it does not come to that.
        """
        self._process = subprocess.Popen(  # noqa: S603 - our own script, in our own interpreter
            [sys.executable, "-I", str(_SCRIPT), self.name, str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the demo, which then ends it
        )
        port = self._process.stdout.readline() if self._process.stdout else b""
        if not port:
            raise ForebayError(f"the demo's server {self.name} did not start", hint="its error output above says why")
        self.port = int(port)

    def kill(self) -> None:
        """SIGKILL, as a crash or the kernel's memory killer would end it."""
        process, self._process = self._process, None
        if process is not None:
            with process:  # waits for it, and closes the pipes
                process.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
