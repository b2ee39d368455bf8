"""The proxies under comparison: their configuration from a template, their process, and their counters."""

import http.client
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import cpu
from bench.paths import PROXY_CORE, TEMPLATES, BenchError
from bench.processes import alive, pause, running

RIVALS = ("nginx", "haproxy")
"""The bar is the cheaper of these two."""
NAMES = ("nginx", "haproxy", "caddy", "forebay")
REST = 0.3
"""Seconds that a proxy must rest for its start to be over."""
FILES = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg", "caddy": "Caddyfile", "forebay": "forebay.toml"}


def bodies(name: str, kib: int) -> str:
    """A rival's lines for bodies, with buffers of `kib` KiB; their defaults cost two to four times as much."""
    unbuffered = "proxy_buffering off;\n            proxy_request_buffering off;"
    buffers = f"proxy_buffer_size {kib}k;\n            proxy_buffers 8 {kib}k;\n            client_body_buffer_size {kib}k;"
    return {
        "nginx": f"{unbuffered}\n            {buffers}",
        "haproxy": f"tune.bufsize {kib * 1024}",
        "caddy": "flush_interval -1",
        "forebay": "",
    }[name]


def servers(name: str, addresses: Sequence[str]) -> str:
    """A proxy's lines for the servers of its one pool."""
    if name == "forebay":
        return ",\n".join(f'  {{ id = "s{at}", address = "{address}" }}' for at, address in enumerate(addresses, 1))
    form = {"nginx": "server {1};", "haproxy": "server s{0} {1}", "caddy": "{1}"}[name]
    between = " " if name == "caddy" else "\n    "
    return between.join(form.format(at, address) for at, address in enumerate(addresses, 1))


# Without this HAProxy holds a chunk back for up to 200 ms, in the hope of sending more with it.
EVENTS = {"nginx": "", "haproxy": "option http-no-delay", "caddy": "", "forebay": ""}

# What a proxy adds to a request. Forebay's default is more than the others' `usual`, and its names come from here too.
FORWARD = {
    "nothing": {"nginx": "", "haproxy": "", "caddy": "header_up -X-Forwarded-*", "forebay": 'forwarded = "off"'},
    "usual": {
        "nginx": "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
        "haproxy": "option forwardfor",
        "caddy": "",
        "forebay": "",
    },
    "same": {
        "nginx": "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
        "            proxy_set_header X-Forwarded-Proto $scheme;\n"
        "            proxy_set_header X-Forwarded-Host $http_host;\n"
        '            proxy_set_header Via "1.1 nginx";\n'
        "            proxy_set_header X-Request-Id $request_id;",
        "haproxy": "option forwardfor\n"
        "    unique-id-format %{+X}o\\ %ci%cp%fi%fp%Ts%rt%pid\n"
        "    unique-id-header X-Request-Id\n"
        "    http-request set-header X-Forwarded-Proto http\n"
        "    http-request set-header X-Forwarded-Host %[req.hdr(host)]\n"
        '    http-request add-header Via "1.1 haproxy"',
        "caddy": "header_up X-Request-Id {http.request.uuid}",
        "forebay": "",
    },
}


@dataclass(frozen=True)
class Setting:
    """How a proxy is configured for a row."""

    backend: str
    """`HOST:PORT` of the server behind."""
    bodies: int = 0
    """Not 0: the settings that suit large bodies, with buffers of so many KiB."""
    log: bool = False
    """True: the access log goes to a file `access.log` of the work folder (nginx and Forebay only)."""
    forward: str = "usual"
    """Which fields the rivals add: a key of FORWARD."""
    events: bool = False
    """True: the settings that suit event streams, where a rival needs any."""
    routes: str = ""
    """Forebay's `[[routes]]`; none feeds everything to the one pool."""
    endpoints: tuple[str, ...] = ()
    """Not empty: these addresses take the place of the backend's, each as a server of its own, also where two are the same."""
    balance: str = ""
    """The proxy's own line that chooses a policy; without one it has its default."""
    probe: str = "/size/100000"
    """Path of the first request, whose answer must be the backend's, byte for byte."""


@dataclass
class Proxy:
    """A proxy that runs."""

    name: str
    address: str
    work: Path
    process: "subprocess.Popen[str]"
    first_byte: float
    """Seconds from the start of its process to its first answer."""
    pids: list[int] = field(default_factory=list)

    def memory(self) -> float:
        """Proportional set size of its processes, KiB."""
        return cpu.resident(self.pids)

    def settle(self, limit: float) -> None:
        """Waits, at most `limit` seconds, until its start is over: a window must not hold what is done once."""
        given_up = time.monotonic() + limit
        while time.monotonic() < given_up:
            before = sum(map(cpu.cpu_seconds, self.pids))
            pause(REST)
            if sum(map(cpu.cpu_seconds, self.pids)) - before < REST * 0.02:
                return


@dataclass(frozen=True)
class Peer:
    """A proxy that can be started: its name and its binary."""

    name: str
    binary: Path
    wrapper: tuple[str, ...] = ()
    """Command in front of the binary: a tool that watches it from inside."""

    def version(self) -> str:
        """The first line in which the program tells its version."""
        flag = {"nginx": "-v", "haproxy": "-v", "caddy": "version", "forebay": "version"}[self.name]
        done = subprocess.run([str(self.binary), flag], capture_output=True, text=True, check=True)
        return (done.stdout + done.stderr).strip().splitlines()[0]

    @contextmanager
    def start(self, setting: Setting, work: Path) -> Iterator[Proxy]:
        """Runs the proxy on its core; the block begins once it has answered a request through to the backend."""
        work.mkdir(parents=True, exist_ok=True)
        port = free_port()
        config = work / FILES[self.name]
        config.write_text(self._render(setting, work, port))
        log = work / "stderr.log"
        environment = {**os.environ, "GOMAXPROCS": "1", "HOME": str(work)}
        began = time.perf_counter()
        with running(PROXY_CORE, self._command(config, work), log=log, environment=environment) as process:
            first = self._wait(process, (port, setting), log, began)
            proxy = Proxy(self.name, f"127.0.0.1:{port}", work, process, first)
            proxy.pids = cpu.family(process.pid)
            proxy.settle(self._patience)
            yield proxy
            alive(process, log)

    @property
    def _patience(self) -> float:
        """Seconds in which the proxy must have started."""
        return 120 if self.wrapper else 15

    def _command(self, config: Path, work: Path) -> list[str]:
        arguments = {
            "nginx": ["-p", str(work), "-c", str(config)],
            "haproxy": ["-db", "-f", str(config)],
            "caddy": ["run", "--adapter", "caddyfile", "--config", str(config)],
            "forebay": ["run", str(config)],
        }
        if self.wrapper:
            arguments["nginx"] += ["-g", "master_process off;"]  # the tools lose a forked worker
        return [*self.wrapper, str(self.binary), *arguments[self.name]]

    def _render(self, setting: Setting, work: Path, port: int) -> str:
        logged = {"nginx": f"{work}/access.log combined buffer=64k flush=1s", "forebay": f"{work}/access.log"}
        values = {
            "WORK": str(work),
            "PORT": str(port),
            "LISTEN": f"127.0.0.1:{port}",
            "SERVERS": servers(self.name, setting.endpoints or (setting.backend,)),
            "BALANCE": setting.balance,
            "ACCESS_LOG": logged[self.name] if setting.log else "off",
            "FORWARD": FORWARD[setting.forward][self.name],
            "VARIANT": bodies(self.name, setting.bodies) if setting.bodies else "",
            "EVENTS": EVENTS[self.name] if setting.events else "",
            "ROUTES": setting.routes,
        }
        template = (TEMPLATES / f"{FILES[self.name]}.in").read_text()
        return re.sub(r"\{\{([A-Z_]+)\}\}", lambda match: values[match[1]], template)

    def _wait(self, process: "subprocess.Popen[str]", asked: tuple[int, Setting], log: Path, began: float) -> float:
        """Seconds until the first answer from behind the proxy; raises BenchError after a while, or if its body is not the backend's."""
        port, setting = asked
        while time.perf_counter() - began < self._patience:
            alive(process, log)
            try:
                status, body = fetch(f"127.0.0.1:{port}", setting.probe)
            except OSError:
                pause(0.002)
                continue
            took = time.perf_counter() - began
            if status == 200 and body == fetch(setting.backend, setting.probe)[1]:
                return took
            if status == 200:
                raise BenchError(f"{self.name} passed on another body of {setting.probe} than the backend sends")
            pause(0.01)
        raise BenchError(f"{self.name} gave no answer within {self._patience} s; see {log}")


def fetch(address: str, path: str) -> tuple[int, bytes]:
    """Status and body of one GET on a connection of its own."""
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", path, headers={"Connection": "close", "Host": "any.example"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def free_port() -> int:
    """A port of the loopback that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
