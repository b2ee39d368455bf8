"""Picks of a balancer, and what it counts of them."""

import pytest

from forebay import Balancer
from forebay.testing import FakeClock

THREE = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]


def picked(balancer: Balancer, key: str | bytes | None = None) -> str:
    with balancer.pick(key) as endpoint:
        return str(endpoint.id)


def fail(balancer: Balancer, *tried: str) -> str:
    """Let one pick fail; returns whose it was."""
    with pytest.raises(OSError, match="refused"), balancer.pick(tried=tried) as endpoint:
        raise OSError("refused")
    return endpoint.id


def counted(balancer: Balancer, name: str) -> list[float]:
    """One of the statistics, of each endpoint."""
    return [now[name] for now in balancer.statistics().values()]


def settle(balancer: Balancer, clock: FakeClock) -> None:
    """What was learned shows from the first pick on after a tenth of a second."""
    clock.advance(0.2)
    picked(balancer)
