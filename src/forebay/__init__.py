"""Forebay: an HTTP gateway whose policies and configuration are Python and whose data path is native.

from forebay import Gateway, Pool

Gateway(listen="127.0.0.1:8080", pools={"app": Pool(["10.0.0.1:80", "10.0.0.2:80"])}).run()
"""

from forebay import balance
from forebay.balance import endpoint
from forebay.balancer import Balancer
from forebay.config.schema import (
    Affinity,
    Discovery,
    Ejection,
    Endpoint,
    Failover,
    HeaderEdits,
    Health,
    Hedge,
    Limits,
    Listener,
    LoadReport,
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
from forebay.control.engine import VERSION as __version__  # noqa: N811 - how a package calls it
from forebay.errors import ConfigError, ControlError, Fault, ForebayError, ForkError, ListenError, NoEndpoint
from forebay.gateway import Gateway, Running
from forebay.observe.pool import RunningPool
from forebay.observe.statistics import EndpointStatistics, Histogram, PoolStatistics, Statistics

__all__ = [
    "Affinity",
    "Balancer",
    "ConfigError",
    "ControlError",
    "Discovery",
    "Ejection",
    "Endpoint",
    "EndpointStatistics",
    "Failover",
    "Fault",
    "ForebayError",
    "ForkError",
    "Gateway",
    "HeaderEdits",
    "Health",
    "Hedge",
    "Histogram",
    "Limits",
    "ListenError",
    "Listener",
    "LoadReport",
    "Match",
    "NoEndpoint",
    "Pool",
    "PoolStatistics",
    "Queue",
    "Redirect",
    "Respond",
    "Retry",
    "Route",
    "Running",
    "RunningPool",
    "SlowStart",
    "Statistics",
    "WhenAllDown",
    "__version__",
    "balance",
    "endpoint",
]
