"""The tables about failing endpoints: what they take, what they say to what they do not, and what becomes of them."""

from typing import Any

import pytest

from forebay import Ejection, Endpoint, Failover, Health, Hedge, Pool, Respond, Retry, Route, SlowStart, WhenAllDown
from forebay.config.effective import effective
from forebay.config.rules import pool_rules
from forebay.config.schema import GatewayConfig
from forebay.config.snapshot import pool_spec
from forebay.errors import ConfigError
from forebay.failover.rules import EjectionRules, MinHealthy, PoolRules, ProbeRules, TierRules


def faults(**keys: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Pool(["a:1"], **keys)
    return [str(fault) for fault in caught.value.faults]


def gateway_faults(**pools: Pool) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        GatewayConfig(listen="127.0.0.1:0", pools=pools, routes=[Route(pool=name) for name in pools])
    return [str(fault) for fault in caught.value.faults]


def spec(**keys: Any) -> dict[str, Any]:
    return pool_spec("app", Pool(["a:1"], **keys), {})


def test_a_pool_as_by_default_tells_the_engine_nothing_of_failover() -> None:
    assert {"failover", "when_all_down", "ejection", "slow_start", "probed", "hedge"}.isdisjoint(spec())
    assert spec()["retry"] == {"attempts": 3, "replay_buffer": 65536}


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"failover": Failover(min_healthy=2)}, {"failover": {"min_healthy": {"count": 2}, "automatic": True, "hold_down": 10.0}}),
        (
            {"failover": {"min_healthy": "50%", "failback": "manual", "hold_down": 0}},
            {"failover": {"min_healthy": {"share": 0.5}, "automatic": False, "hold_down": 0.0}},
        ),
        ({"when_all_down": "fail_fast"}, {"when_all_down": "fail_fast"}),
        ({"when_all_down": WhenAllDown(policy="last_healthy")}, {"when_all_down": "last_healthy"}),
        ({"when_all_down": "pool:other"}, {"when_all_down": {"pool": "other"}}),
        (
            {"when_all_down": WhenAllDown(respond=Respond(status=503, body="soon", headers={"retry-after": "5"}))},
            {"when_all_down": {"respond": {"status": 503, "headers": [["retry-after", "5"]], "body": "soon"}}},
        ),
        ({"ejection": Ejection(max_ejected="30%")}, {"ejection": {"consecutive": 3, "base": 10.0, "max": 300.0, "max_ejected": 0.3}}),
        ({"slow_start": "30s"}, {"slow_start": 30.0}),
        ({"slow_start": SlowStart(window=5)}, {"slow_start": 5.0}),
        ({"health": {}}, {"probed": True}),
        ({"hedge": Hedge(enabled=True)}, {"hedge": {"budget": 0.02}}),
        ({"retry": Retry(statuses=429)}, {"retry": {"attempts": 3, "replay_buffer": 65536, "statuses": [429]}}),
        ({"retry": {"attempt_timeout": "off", "budget": "10%"}},
         {"retry": {"attempts": 3, "replay_buffer": 65536, "budget": 0.1, "attempt_timeout": "off"}}),
        ({"retry": {"attempt_timeout": "300ms"}}, {"retry": {"attempts": 3, "replay_buffer": 65536, "attempt_timeout": 0.3}}),
    ],
)  # fmt: skip
def test_what_is_declared_is_told_in_the_engines_form(keys: dict[str, Any], told: dict[str, Any]) -> None:
    made = spec(**keys)
    assert {key: made[key] for key in told} == told


def test_tiers_and_idempotency_keys_are_told_where_they_are_declared() -> None:
    endpoints = pool_spec("app", Pool(["a:1", Endpoint("b:1", tier=1)]), {})["endpoints"]
    assert [endpoint.get("tier") for endpoint in endpoints] == [None, 1]


def test_the_rules_of_decisions_have_every_default_filled_in() -> None:
    assert pool_rules(Pool(["a:1"])) == PoolRules()
    assert pool_rules(Pool(["a:1"], health=Health())).probes == ProbeRules()
    rules = pool_rules(Pool(["a:1"], health=Health(interval="500ms"), failover=Failover(min_healthy="40%"), when_all_down="pool:b"))
    assert rules.probes is not None
    assert (rules.probes.timeout, rules.probes.down_interval) == (0.5, 0.5)
    assert rules.tiers == TierRules(min_healthy=MinHealthy(share=0.4), when_all_down="pool")
    assert rules.ejection == EjectionRules()


@pytest.mark.parametrize(("total", "needed"), [(1, 1), (2, 1), (3, 2), (10, 4), (25, 10)])
def test_a_share_of_endpoints_is_rounded_up(total: int, needed: int) -> None:
    assert MinHealthy(share=0.4).of(total) == needed


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"health": {"type": "tcp", "path": "/h"}}, 'health.path: does not belong to type = "tcp"; leave it out, or write type = "http"'),
        ({"health": {"type": "ftp"}}, 'health.type: must be "http", "tcp" or "command", not "ftp"; did you mean "tcp"?'),
        ({"health": {"type": "command"}}, 'health.command: missing; write command = ["/usr/bin/check", "{host}", "{port}"]'),
        ({"health": {"send": "x"}}, 'health.send: does not belong to type = "http"; leave it out, or write type = "tcp"'),
        ({"health": {"expect": [200, "2x"]}}, 'health.expect[1]: "2x" is no status; write 200, or "2xx" for all that begin with 2'),
        ({"health": {"expect": 600}}, 'health.expect: "600" is no status; write 200, or "2xx" for all that begin with 2'),
        ({"health": {"type": "tcp", "expect": ["220", "221"]}},
         'health.expect: is one text for type = "tcp"; write expect = "220", or "~^220 "'),
        ({"health": {"type": "tcp", "expect": "~("}},
         'health.expect: the regex "(" is malformed: missing ), unterminated subpattern at position 0'),
        ({"health": {"method": "head", "body": "ok"}}, 'health.body: a HEAD request has no body in its answer; write method = "GET"'),
        ({"health": {"interval": "1ms"}}, "health.interval: must be 10ms or longer"),
        ({"health": {"path": "healthz"}}, 'health.path: "healthz" does not start with "/"; did you mean "/healthz"?'),
        ({"health": {"intervall": "1s"}}, 'health.intervall: unknown key; did you mean "interval"?'),
        ({"failover": {"min_healthy": "0%"}},
         'failover.min_healthy: must be above zero, not "0%"; write a number of endpoints, or a share such as "50%"'),
        ({"failover": {"min_healthy": 0.5}},
         'failover.min_healthy: must be a number of endpoints or a share, not 0.5; write a number of endpoints, or a share such as "50%"'),
        ({"ejection": {"max_ejected": 50}}, 'ejection.max_ejected: must lie between 0 and 1, not 50; write a share such as 0.5 or "50%"'),
        ({"retry": {"attempt_timeout": "learnt"}},
         'retry.attempt_timeout: "learnt" is no duration; write "learned", "off" or a duration such as "500ms"'),
        ({"retry": {"statuses": [200]}}, "retry.statuses[0]: must be at least 400, not 200"),
        ({"slow_start": "soon"}, 'slow_start: "soon" is no duration; write a duration such as "2s", "500ms" or "1m30s"'),
        ({"when_all_down": "try-all"},
         'when_all_down: must be "try_all", "fail_fast", "last_healthy" or "pool:NAME", not "try-all"; did you mean "try_all"?'),
        ({"when_all_down": {"policy": "try_all", "respond": {}}}, 'when_all_down.respond: stands beside "policy"; keep one of the two'),
        ({"when_all_down": {}}, 'when_all_down: says nothing to do; write when_all_down = "try_all"'),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(keys: dict[str, Any], said: str) -> None:
    assert faults(**keys) == [said]


def test_a_pool_that_stands_in_must_exist_and_not_lead_back() -> None:
    assert gateway_faults(app=Pool(["a:1"], when_all_down="pool:bakcup"), backup=Pool(["b:1"])) == [
        'pools.app.when_all_down: there is no pool "bakcup"; did you mean "backup"?',
    ]
    hint = 'name a pool that stands behind none of them, or write "try_all"'
    assert gateway_faults(app=Pool(["a:1"], when_all_down="pool:app")) == [f"pools.app.when_all_down: names its own pool; {hint}"]
    circle = {"a": Pool(["a:1"], when_all_down="pool:b"), "b": Pool(["b:1"], when_all_down="pool:a")}
    assert gateway_faults(c=Pool(["c:1"], when_all_down="pool:a"), **circle) == [
        f"pools.a.when_all_down: leads in a circle: a, b and back; {hint}",
        f"pools.b.when_all_down: leads in a circle: b, a and back; {hint}",
    ]


def test_what_is_in_force_is_told_with_derived_times() -> None:
    pools = {"app": Pool(["a:1"], health={"interval": "500ms"}), "plain": Pool(["b:1"])}
    rows = {
        row.key: (row.value, row.source) for row in effective(GatewayConfig(listen=":1", pools=pools, routes=[Route(pool="app")]))
    }  # fmt: skip
    assert rows["pools.app.health.timeout"] == ("500ms", "default")
    assert rows["pools.app.health.interval"] == ("500ms", "Python")
    assert rows["pools.plain.health"] == ("none", "default")
    assert rows["pools.app.when_all_down.policy"] == ("try_all", "default")
    for table in (Ejection, Retry, Hedge, SlowStart, Failover):
        name = {"slowstart": "slow_start"}.get(table.__name__.lower(), table.__name__.lower())
        assert {f"pools.plain.{name}.{key}" for key in table.model_fields} <= set(rows)
