"""What a policy may look at, as plain columns: one number for each endpoint of a pool, in its declared order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from forebay.balance.expression import FRESH
from forebay.types import Malformed


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The endpoints 0 to n - 1 at one moment. Each column has n numbers, or is left out for what an endpoint has that has just joined.

    `weight` (0 or more; 0 is never picked), `inflight` (requests; else 0), `latency` and `service_time` (seconds; else 0.001), `error_rate`
    (0 to 1; else 0), `age` (seconds; else 0), `reported_load` (0 to 1; else 0), `reported` (metrics by name; else 0), `eligible` (may be
    picked now; else all).

    Raises Malformed where there is no endpoint, where columns differ in length, and where a weight is negative or not finite.
    """

    weight: Sequence[float]
    inflight: Sequence[float] = ()
    latency: Sequence[float] = ()
    service_time: Sequence[float] = ()
    error_rate: Sequence[float] = ()
    age: Sequence[float] = ()
    reported_load: Sequence[float] = ()
    reported: Mapping[str, Sequence[float]] = field(default_factory=dict)
    eligible: Sequence[bool] = ()

    def __post_init__(self) -> None:
        count = len(self.weight)
        if not count:
            raise Malformed("there is no endpoint to pick", "give one weight for each endpoint")
        if not all(0 <= weight < math.inf for weight in self.weight):
            raise Malformed("a weight is negative or no finite number", "write weights of 0 or more")
        columns = {name: getattr(self, name) for name in (*FRESH, "eligible")} | dict(self.reported)
        for name, values in columns.items():
            if len(values) not in {0, count}:
                raise Malformed(f"{name} has {len(values)} values for {count} endpoints", "give one for each, or leave it out")

    def __len__(self) -> int:
        return len(self.weight)

    def column(self, name: str) -> NDArray[np.float64]:
        """The column that an expression reads under this name, shape (n,): a field, or `reported:NAME` for a metric."""
        metric = name.removeprefix("reported:")
        values = getattr(self, name) if metric == name else self.reported.get(metric, ())
        return np.asarray(values, dtype=np.float64) if len(values) else np.full(len(self), FRESH.get(name, 0.0))

    @property
    def able(self) -> NDArray[np.bool_]:
        """Who may be picked, shape (n,): eligible, and of a weight above 0."""
        eligible = np.asarray(self.eligible or [True] * len(self), dtype=np.bool_)
        return eligible & (self.column("weight") > 0)
