"""Configurations of every shape, for properties that hold for all of them."""

from typing import Any

import pytest
from hypothesis import strategies as st

NAMES = st.from_regex(r"[a-z0-9_][a-z0-9_.-]{0,8}", fullmatch=True)
DURATIONS = st.one_of(st.integers(1, 10**7).map(lambda ms: f"{ms}ms"), st.floats(0.001, 10**6), st.integers(1, 1000))
OFF = st.just("off")
COUNTS = st.one_of(st.integers(1, 2**31 - 1), OFF)
SIZES = st.one_of(st.integers(0, 2**40), st.integers(0, 1000).map(lambda kib: f"{kib}KiB"))
PORTS = st.integers(1, 65535)
ADDRESSES = st.one_of(
    st.tuples(st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8})?", fullmatch=True), PORTS).map(lambda each: f"{each[0]}:{each[1]}"),
    st.tuples(st.ip_addresses(v=6).filter(lambda ip: int(ip) > 0), PORTS).map(lambda each: f"[{each[0]}]:{each[1]}"),
    NAMES.map(lambda name: f"unix:/run/{name}"),
)
PATHS = st.one_of(NAMES.map(lambda name: f"/{name}"), NAMES.map(lambda name: f"/{name}/*"), NAMES.map(lambda name: f"~/{name}/(.*)"))
VALUES = st.one_of(NAMES, st.just("*"), NAMES.map(lambda name: f"{name}*"))
FIELDS = st.dictionaries(st.from_regex(r"x-[a-z]{1,5}", fullmatch=True), NAMES, max_size=3)


def table(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A table with any of these keys."""
    return st.fixed_dictionaries({}, optional=keys)


MATCHES = table(
    host=st.lists(st.from_regex(r"(\*\.)?[a-z]{1,5}\.[a-z]{1,5}", fullmatch=True), max_size=2),
    path=st.one_of(PATHS, st.lists(PATHS, max_size=2)),
    method=st.sampled_from(["GET", "post"]),
    header=st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), VALUES, max_size=2),
    query=st.dictionaries(NAMES, VALUES, max_size=2),
)
EDITS = table(set=FIELDS, remove=st.lists(st.from_regex(r"y-[a-z]{1,5}", fullmatch=True), max_size=2))
ENDPOINTS = st.lists(ADDRESSES, min_size=1, max_size=4, unique_by=lambda address: address).flatmap(
    lambda addresses: st.tuples(
        *(
            st.one_of(st.just(address), st.fixed_dictionaries({"address": st.just(address), "weight": st.integers(1, 1000)}))
            for address in addresses
        ),
    ).map(list),
)
SHARES = st.one_of(st.integers(0, 100).map(lambda share: f"{share}%"), st.floats(0, 1))
INTERVALS = st.integers(10, 10**6).map(lambda ms: f"{ms}ms")
JUDGED = {"interval": INTERVALS, "down_interval": INTERVALS, "timeout": DURATIONS, "fall": st.integers(1, 9), "rise": st.integers(1, 9)}
HEALTH = st.one_of(
    table(
        path=st.sampled_from(["/", "/healthz?x=1"]),
        method=st.sampled_from(["GET", "post"]),
        headers=FIELDS,
        expect=st.lists(st.sampled_from([200, "204", "2xx"]), max_size=2),
        body=st.sampled_from(["ok", "~^ok"]),
        fresh=st.booleans(),
        **JUDGED,
    ),
    st.fixed_dictionaries(
        {"type": st.just("tcp")}, optional={"send": st.text(max_size=4), "expect": st.sampled_from(["220", "~^220"]), **JUDGED}
    ),
    st.fixed_dictionaries({"type": st.just("command"), "command": st.just(["/bin/true", "{host}"])}, optional=JUDGED),
)
POOLS = st.fixed_dictionaries(
    {"endpoints": ENDPOINTS},
    optional={
        "balance": st.sampled_from(
            [
                "random",
                "weighted_random()",
                "least((inflight + 1) / weight, choices=2)",
                "consistent_hash(key='header:X-A')",
                "python:a.b:c",
            ]
        ),
        "host": st.sampled_from(["client", "endpoint", "a.b", "a:80"]),
        "connect_timeout": DURATIONS,
        "max_connections": COUNTS,
        "max_inflight": COUNTS,
        "discovery": table(min_ttl=st.just("500ms"), max_ttl=st.just("2m"), empty_grace=DURATIONS, nameservers=st.just(["10.0.0.53"])),
        "queue": table(size=st.integers(0, 9), timeout=DURATIONS),
        "retry": table(
            attempts=st.integers(1, 9),
            replay_buffer=SIZES,
            budget=SHARES,
            statuses=st.lists(st.integers(400, 599), max_size=2),
            attempt_timeout=st.one_of(DURATIONS, st.sampled_from(["learned", "off"])),
        ),
        "hedge": table(enabled=st.booleans(), budget=SHARES),
        "health": HEALTH,
        "ejection": table(
            consecutive=st.integers(1, 9), min_requests=st.integers(1, 99), base=DURATIONS, max=DURATIONS, max_ejected=SHARES
        ),
        "slow_start": DURATIONS,
        "failover": table(
            min_healthy=st.one_of(st.integers(1, 9), st.integers(1, 100).map(lambda share: f"{share}%")),
            failback=st.sampled_from(["automatic", "manual"]),
            hold_down=DURATIONS,
        ),
        "when_all_down": st.one_of(
            st.sampled_from(["try_all", "fail_fast", "last_healthy", {"policy": "fail_fast"}]),
            st.fixed_dictionaries({"respond": table(status=st.integers(500, 503), body=st.text(), headers=FIELDS)}),
        ),
        "affinity": table(cookie=NAMES, ttl=st.integers(1, 10**6)),
        "load_report": table(keep=st.booleans()),
    },
)


def _actions(pools: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    times = {"timeout": st.one_of(DURATIONS, OFF), "first_byte_timeout": st.one_of(DURATIONS, OFF), "request_headers": EDITS}
    return st.one_of(
        st.fixed_dictionaries({"pool": st.sampled_from(pools)}, optional={**times, "strip_prefix": st.just("/a"), "match": MATCHES}),
        st.fixed_dictionaries({"redirect": st.sampled_from(["/x", "https://a/b?c#d"])}, optional={"match": MATCHES}),
        st.fixed_dictionaries(
            {"respond": table(status=st.integers(200, 203), body=st.text(), headers=FIELDS)}, optional={"match": MATCHES}
        ),
    )


@pytest.fixture(scope="session")
def declarations() -> st.SearchStrategy[dict[str, Any]]:
    """Valid configurations in the shape of a file."""
    return _declared()


@st.composite
def _declared(draw: st.DrawFn) -> dict[str, Any]:
    pools = draw(st.dictionaries(NAMES, POOLS, min_size=1, max_size=3))
    limits = table(head_timeout=DURATIONS, total_timeout=st.one_of(DURATIONS, OFF), max_body=st.one_of(SIZES, OFF), max_connections=COUNTS)
    gateway = table(
        threads=st.one_of(st.just("auto"), st.integers(1, 64)),
        trusted_proxies=st.lists(st.sampled_from(["10.0.0.0/8", "::1", "192.0.2.1"]), max_size=2),
        shutdown_grace=st.one_of(DURATIONS, st.just("0s")),
        forwarded=st.sampled_from(["x-forwarded", "forwarded", "off"]),
        admin=st.just("localhost:9900"),
    )
    return {
        "gateway": {"listen": ["127.0.0.1:0", ":8080"], **draw(gateway)},
        "limits": draw(limits),
        "routes": draw(st.lists(_actions(list(pools)), min_size=1, max_size=4)),
        "pools": pools,
    }
