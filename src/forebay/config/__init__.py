"""What a user declares: its schema, loading it from TOML or Python, its defaults, and checking it."""

from forebay.config.canonical import canonical, canonical_json
from forebay.config.check import warnings
from forebay.config.effective import Row, effective
from forebay.config.load import from_dict, load, loads
from forebay.config.schema import (
    Discovery,
    Ejection,
    Endpoint,
    Failover,
    GatewayConfig,
    HeaderEdits,
    Health,
    Hedge,
    Limits,
    Listener,
    Match,
    Pool,
    Queue,
    Redirect,
    Respond,
    Retry,
    Route,
    SlowStart,
    WhenAllDown,
)
from forebay.config.snapshot import delta, snapshot
from forebay.config.sources import sources

__all__ = [
    "Discovery",
    "Ejection",
    "Endpoint",
    "Failover",
    "GatewayConfig",
    "HeaderEdits",
    "Health",
    "Hedge",
    "Limits",
    "Listener",
    "Match",
    "Pool",
    "Queue",
    "Redirect",
    "Respond",
    "Retry",
    "Route",
    "Row",
    "SlowStart",
    "WhenAllDown",
    "canonical",
    "canonical_json",
    "delta",
    "effective",
    "from_dict",
    "load",
    "loads",
    "snapshot",
    "sources",
    "warnings",
]
