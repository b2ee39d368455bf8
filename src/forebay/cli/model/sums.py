"""What `forebay model balance` prints, computed: plain data from the texts of its options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from forebay.balance.expression import FRESH
from forebay.balance.policies import DEFAULT
from forebay.errors import ConfigError, Fault
from forebay.model import (
    State,
    erlang_c,
    leaver_share,
    maglev_moved,
    maglev_peak,
    mmk_response,
    mmk_waiting,
    mmk_waiting_quantile,
    pick_probability,
    power_of_two_response,
    random_response,
    ring_peak,
    round_robin_response,
    shortest_queue_response,
)
from forebay.model.queues import check_load, check_service, check_whole
from forebay.model.shortest import EXACT_SERVERS
from forebay.types import Malformed, parse_duration

T = TypeVar("T")

_MOST_COUNTED: Final = 1_000
_DURATIONS: Final = frozenset({"latency", "service_time", "age"})


class Endpoints:
    """The endpoints as the options give them: columns of numbers by name, all as long as the first."""

    def __init__(self, weights: str | None, inflight: str | None, fields: Sequence[str]) -> None:
        self.columns: dict[str, list[float]] = {}
        self._options: dict[str, str] = {}
        texts = [("--weights", "weight", weights), ("--inflight", "inflight", inflight)]
        for option, name, text in [*texts, *(_named(field) for field in fields)]:
            if text is not None:
                self.columns[name] = [_number(option, name, each.strip()) for each in text.split(",")]
                self._options[name] = option

    @property
    def given(self) -> bool:
        """Whether any option gave one."""
        return bool(self.columns)

    def state(self) -> State:
        """What a policy sees. Raises ConfigError where columns do not fit together, and where a field is negative."""
        for name, values in self.columns.items():
            if name in FRESH and min(values) < 0:
                fault = Fault(f"{name} is never negative, as {min(values):g} is", self._options[name], hint="write numbers of 0 or more")
                raise ConfigError([fault])
        self.columns = {"weight": [1.0] * len(next(iter(self.columns.values())))} | self.columns
        plain = {name: values for name, values in self.columns.items() if not name.startswith("reported:")}
        metrics = {name.removeprefix("reported:"): values for name, values in self.columns.items() if name not in plain}
        # The first column says how many endpoints there are; the one of another length is at fault.
        count = len(self.columns["weight"])
        option = next((self._options[name] for name, values in self.columns.items() if len(values) != count), "--weights")
        return _asked(option, lambda: State(**plain, reported=metrics))  # type: ignore[arg-type]


def shares(policies: Sequence[str], endpoints: Endpoints) -> dict[str, Any]:
    """The probability of each endpoint under each policy."""
    state = endpoints.state()
    found = {}
    for text in policies or [DEFAULT]:
        found[text] = [float(each) for each in _asked("--policy", partial(pick_probability, text, state))]
    return {"endpoints": endpoints.columns, "probability": found}


def responses(servers: int, load: float, service: str | None) -> dict[str, Any]:
    """The mean response under each policy that has a formula, in seconds, or in multiples of the service time where that is not given."""
    seconds = None if service is None else _asked("--service", lambda: parse_duration(service))
    unit = 1.0 if seconds is None else seconds
    _asked("--servers", lambda: check_whole("servers", servers))
    _asked("--load", lambda: check_load(load))
    _asked("--service", lambda: check_service(unit))
    shortest = "the shortest queue, by its chain" if servers <= EXACT_SERVERS else "M/M/k, below the shortest queue by 15 % at most"
    rows = (
        ("random", random_response(load, unit), "a queue for each server (M/M/1)"),
        ("round_robin", round_robin_response(servers, load, unit), "a queue for each server, every n-th request (E_n/M/1)"),
        ("power_of_two", power_of_two_response(servers, load, unit), "the mean field and its first correction"),
        ("least_connections", shortest_queue_response(servers, load, unit), shortest),
        ("(one common queue)", mmk_response(servers, load, unit), "M/M/k, which no pick on arrival can beat"),
    )
    return {
        "servers": servers,
        "load": load,
        "service": seconds,
        "policies": [{"policy": name, "mean": mean, "model": model} for name, mean, model in rows],
        "common_queue": {
            "waits": erlang_c(servers, load),
            "mean_wait": mmk_waiting(servers, load, unit),
            "p99_wait": mmk_waiting_quantile(servers, load, 0.99, unit),
        },
    }


def hash_tables(servers: int) -> dict[str, Any]:
    """For each table the largest share over the fair one, and the share of keys that move when one of the servers leaves.

    What maglev moves is counted, and is None for so many servers that it would take long.
    """
    _asked("--servers", lambda: check_whole("servers", servers))
    least = leaver_share([1.0] * servers, 0)
    counted = maglev_moved(servers) if servers <= _MOST_COUNTED else None
    rows = (("ring", ring_peak(servers), least), ("maglev", maglev_peak(servers), counted), ("rendezvous", 1.0, least))
    return {"servers": servers, "tables": [{"table": name, "peak": peak, "moved": moved} for name, peak, moved in rows]}


def _named(field: str) -> tuple[str, str, str]:
    name, equals, text = field.partition("=")
    name = name.strip()
    if not equals or not (name in {"weight", *FRESH} or name.removeprefix("reported:") not in {name, ""}):
        known = ", ".join(FRESH)
        raise ConfigError([Fault(f'"{field}" names no field', "--field", hint=f"write NAME=V,V,... with one of {known}, reported:METRIC")])
    return "--field", name, text


def _number(option: str, name: str, text: str) -> float:
    if name in _DURATIONS:
        try:
            return float(text)
        except ValueError:
            return _asked(option, lambda: parse_duration(text))
    try:
        return float(text)
    except ValueError:
        raise ConfigError([Fault(f'"{text}" is no number', option, hint="write numbers with commas between them, as 1,2,3")]) from None


def _asked(option: str, compute: Callable[[], T]) -> T:
    """What is computed from an option's text; what is wrong with it is said of that option."""
    try:
        return compute()
    except Malformed as error:
        raise ConfigError([Fault(error.message, option, hint=error.hint)]) from None
