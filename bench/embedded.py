"""A program with a gateway inside: pools whose endpoints a Python function picks, one that is picked natively, and perhaps a busy thread.

`python -m bench.embedded BACKEND THREADS WORK [spin]` prints the gateway's address as a JSON line, and ends with its standard input. The
request field `x-pool` chooses the pool.
"""

import json
import sys
import threading
from collections.abc import Sequence

from forebay import Gateway, Pool, Route, balance
from forebay.config.pools import Endpoint

ENDPOINTS = 10
BUDGET = 0.001
"""Seconds that a function may take, the default of `balance.python`."""


def first(_request: object, candidates: Sequence[object]) -> object:
    """The least that a function can do."""
    return candidates[0]


def idlest(_request: object, candidates: Sequence[object]) -> object:
    """What users write: a field of each of ten candidates is read."""
    return min(candidates, key=lambda candidate: candidate.inflight)  # type: ignore[attr-defined]


FUNCTIONS = {"first": first, "idlest": idlest}


def gateway(backend: str, threads: int, work: str) -> Gateway:
    """One server under ten names for each pool."""
    endpoints = [Endpoint(backend, id=f"s{number}") for number in range(ENDPOINTS)]
    picked = {name: balance.python(function) for name, function in FUNCTIONS.items()}
    policies = {"native": balance.round_robin(), **picked}
    return Gateway(
        listen="127.0.0.1:0",
        threads=threads,
        access_log="off",
        state_dir=work,
        pools={name: Pool(endpoints, balance=policy) for name, policy in policies.items()},
        routes=[Route(match={"header": {"x-pool": name}}, pool=name) for name in policies],
    )


def spin() -> None:
    """Compute for ever."""
    number = 1
    while True:
        number = (number * 48271) % 2147483647


def main() -> None:
    """Run until standard input ends."""
    backend, threads, work, *rest = sys.argv[1:]
    with gateway(backend, int(threads), work).start() as running:
        if rest:
            threading.Thread(target=spin, daemon=True).start()
        print(json.dumps({"address": running.address}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
