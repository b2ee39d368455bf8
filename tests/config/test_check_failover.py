"""The linter says which settings of failover contradict one another, and is silent about the rest."""

from typing import Any

import pytest

from forebay.config.check import warnings
from forebay.config.schema import Endpoint, GatewayConfig, Limits, Pool, Route

PAIR = ["a:1", "b:1"]
STANDBY = ["a:1", Endpoint("b:1", tier=1)]
PROBED = {"health": {"path": "/healthz"}}


def told(pool: Pool, route: dict[str, Any] | None = None, **keys: Any) -> list[str]:
    config = GatewayConfig(listen="127.0.0.1:1", pools={"app": pool}, routes=[Route(pool="app", **(route or {}))], **keys)
    return [str(fault).removeprefix("pools.app.").removeprefix("pools.app: ") for fault in warnings(config)]


@pytest.mark.parametrize(
    "pool",
    [
        Pool(["a:1"]),
        Pool(PAIR, **PROBED, ejection={"consecutive": 5}, hedge={"enabled": True}, slow_start="30s"),
        Pool(STANDBY, **PROBED, failover={"failback": "manual"}, max_inflight=10),
        Pool(PAIR, health={"interval": "500ms"}),
    ],
)
def test_what_fits_together_is_not_told(pool: Pool) -> None:
    assert told(pool, {"timeout": "30s"}) == []


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (Pool(PAIR, health={"interval": "1s", "timeout": "3s"}),
         "health.timeout: 3s is longer than interval, 1s; one that hangs is asked again only once its probe has timed out; shorten it"),
        (Pool(PAIR, health={"down_interval": "500ms"}),
         "health.down_interval: 500ms is shorter than a probe may take, 1s; lengthen it, or shorten timeout"),
        (Pool(PAIR, failover={"hold_down": "1m"}),
         "failover.hold_down: has no effect: all endpoints of any weight are of one tier; give those that stand by a tier of 1"),
        (Pool(["a:1", Endpoint("b:1", tier=2)], **PROBED),
         "endpoints: no endpoint is of tier 1, but some are of tier 2; number the tiers 0, 1, 2 without a gap"),
        (Pool([Endpoint("a:1", tier=1), Endpoint("b:1", tier=2)], **PROBED),
         "endpoints: no endpoint is of tier 0, but some are of tier 1; number the tiers 0, 1, 2 without a gap"),
        (Pool(STANDBY),
         ("has no probes, so that nobody knows whether those that stand by would serve until they have to; "
         'write health = { path = "/healthz" }')),
        (Pool(STANDBY, **PROBED, failover={"min_healthy": 2}),
         "failover.min_healthy: 2 is more than the 1 of tier 0, so that all of them must be able to serve; write 1 or less, or a share"),
        (Pool([*PAIR, Endpoint("c:1", tier=1)], **PROBED, max_inflight=10),
         ("endpoints: tier 1 carries 10 requests at once (1 x max_inflight), and tier 0 20; "
         "the rest waits in the queue, and past that gets 503; add endpoints, or raise max_inflight")),
        (Pool(["a:1"], ejection={"max_ejected": "30%"}),
         "ejection.max_ejected: has no effect: the last endpoint is never left out; add another endpoint"),
        (Pool(["a:1"], hedge={"enabled": True}), "hedge: has no effect: there is no other endpoint to ask; add another endpoint"),
        (Pool(PAIR, retry={"attempts": 1, "budget": 0.1}),
         "retry.budget: has no effect: with attempts = 1 nothing is repeated; leave it out, or raise attempts"),
        (Pool(PAIR, retry={"attempts": 1}, hedge={"enabled": True}),
         "hedge: has no effect: with retry.attempts = 1 there is no second attempt; raise attempts"),
        (Pool(PAIR, ejection={"base": "10m"}),
         "ejection.base: 10m is longer than max, 5m, which it is cut to; shorten it, or lengthen max"),
    ],
)  # fmt: skip
def test_settings_that_contradict_one_another_are_told(pool: Pool, said: str) -> None:
    assert told(pool) == [said]


def test_survivors_that_cannot_carry_the_load_are_told() -> None:
    pool = Pool(["a:1", "b:1", "c:1"], max_inflight=100, queue={"size": 50})
    assert told(pool, limits=Limits(max_connections=300)) == [
        (
            "max_inflight: with one endpoint down the pool takes 250 requests at once, and limits.max_connections lets 300 in; "
            "raise it or queue.size, or add an endpoint"
        ),
    ]
    assert told(pool, limits=Limits(max_connections=250)) == []


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"retry": {"attempt_timeout": "2s"}},
         ("attempt_timeout of the pool app, 2s, is no shorter than this route's timeout, 2s; "
         "no second attempt is ever begun beside a slow one; shorten attempt_timeout")),
        ({"retry": {"attempt_timeout": "1s"}},
         "3 attempts of 1s do not fit into this route's timeout, 2s; shorten pools.app.retry.attempt_timeout, or lower attempts"),
        ({"connect_timeout": "900ms"},
         ("3 connections that hang for 900ms each do not fit into this route's timeout, 2s; "
         "shorten pools.app.connect_timeout, or lower retry.attempts")),
        ({}, None),
        ({"retry": {"attempt_timeout": "500ms"}}, None),
    ],
)  # fmt: skip
def test_attempts_that_do_not_fit_into_their_routes_time_are_told(keys: dict[str, Any], said: str | None) -> None:
    assert told(Pool(PAIR, **keys), {"timeout": "2s"}) == ([] if said is None else [f"routes[0].timeout: {said}"])


def test_a_pool_that_only_stands_in_for_another_is_led_to() -> None:
    pools = {"app": Pool(["a:1"], when_all_down="pool:spare"), "spare": Pool(["b:1"])}
    assert warnings(GatewayConfig(listen="127.0.0.1:1", pools=pools, routes=[Route(pool="app")])) == []


def test_an_idempotency_key_beside_an_answer_of_its_own_has_no_effect() -> None:
    routes = [Route(respond={"status": 200}, match={"path": "/x"}, idempotency_key=True), Route(pool="app")]
    (fault,) = warnings(GatewayConfig(listen="127.0.0.1:1", pools={"app": Pool(["a:1"])}, routes=routes))
    assert str(fault) == 'routes[0].idempotency_key: has no effect beside "respond", which sends nothing to a server; leave it out'
