"""The lines that a gateway in the foreground prints when it starts and stops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forebay.config.schema import GatewayConfig, Pool


@dataclass(frozen=True)
class Start:
    """What the start-up lines tell."""

    version: str
    config: GatewayConfig
    addresses: Mapping[str, Sequence[str]]
    threads: int
    log_format: str
    control: str

    def lines(self) -> list[str]:
        """Where it listens and what it feeds; then threads, access log, control socket."""
        listens = ", ".join(f"http://{address}" for addresses in self.addresses.values() for address in addresses)
        feeds = ", ".join(f"{name} ({_endpoints(pool)})" for name, pool in self.config.pools.items())
        routes = f" by {_count(len(self.config.routes), 'route')}" if len(self.config.routes) > 1 else ""
        log = self.config.access_log
        details = [
            _count(self.threads, "thread"),
            "access log off" if log == "off" else f"access log to {log} ({self.log_format})",
            *([f"admin on http://{self.config.admin}"] if self.config.admin else []),
            f"control on {self.control}",
        ]
        return [f"forebay {self.version} listens on {listens} -> {feeds or 'its routes alone'}{routes}", f"  {'; '.join(details)}"]


def _endpoints(pool: Pool) -> str:
    found = pool.discovery.source
    declared = _count(len(pool.endpoints), "endpoint")
    return declared if found is None else f"{declared} and those of {found}" if pool.endpoints else f"endpoints of {found}"


def stopping(running: int, grace: float) -> str:
    """Said when a stop begins while requests run."""
    return f"forebay stops: {_count(running, 'request')} still running, cut after {grace:g} s (a second Ctrl-C cuts now)"


def handed_over(pid: int, version: str, running: int) -> str:
    """Said when another process has taken over."""
    left = f"{_count(running, 'request')} still running here" if running else "nothing runs here any more"
    return f"forebay: process {pid} (version {version}) has taken over; {left}"


def stopped(finished: int, cut: int) -> str:
    """Said at the end."""
    return f"forebay stopped: {finished} finished / {cut} cut"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
