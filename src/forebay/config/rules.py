"""A pool's rules of failover from its configuration: for the engine as JSON, for `forebay.failover` as values."""

from __future__ import annotations

from typing import Any

from forebay.config.failover import Ejection, Failover, SlowStart, WhenAllDown
from forebay.config.health import Health
from forebay.config.pools import Pool
from forebay.config.routes import Respond
from forebay.failover.rules import AllDown, EjectionRules, PoolRules, ProbeRules, TierRules

Json = dict[str, Any]


def failover_spec(pool: Pool) -> Json:
    """The keys of the engine's `PoolSpec` that say what happens when endpoints fail; what is as by default is not told."""
    failover, hedge = pool.failover, pool.hedge
    return {
        **({"failover": _failover(failover)} if failover != Failover() else {}),
        **({"when_all_down": _when_all_down(pool.when_all_down)} if pool.when_all_down != WhenAllDown(policy="try_all") else {}),
        **({"ejection": pool.ejection.model_dump(exclude={"min_requests"})} if pool.ejection != Ejection() else {}),
        **({"slow_start": pool.slow_start.window} if pool.slow_start != SlowStart() else {}),
        **({"probed": True} if pool.health is not None else {}),
        **({"hedge": {"budget": hedge.budget}} if hedge.enabled else {}),
    }


def respond_spec(respond: Respond) -> Json:
    """The engine's form of an answer that the gateway gives by itself."""
    return {"status": respond.status, "headers": [list(each) for each in respond.headers.items()], "body": respond.body}


def pool_rules(pool: Pool) -> PoolRules:
    """What `forebay.failover` decides by on the pool's endpoints."""
    ejection = pool.ejection
    return PoolRules(
        tiers=TierRules(
            min_healthy=pool.failover.min_healthy,
            automatic=pool.failover.failback == "automatic",
            hold_down=pool.failover.hold_down,
            when_all_down=_all_down(pool.when_all_down),
        ),
        ejection=EjectionRules(ejection.consecutive, ejection.min_requests, ejection.base, ejection.max, ejection.max_ejected),
        probes=None if pool.health is None else _probes(pool.health),
        slow_start=pool.slow_start.window,
    )


def _probes(health: Health) -> ProbeRules:
    return ProbeRules(
        kind=health.type,
        interval=health.interval,
        down_interval=health.while_down,
        timeout=health.probe_timeout,
        fall=health.fall,
        rise=health.rise,
        expect=health.statuses,
        text=health.text,
    )


def _failover(failover: Failover) -> Json:
    least = failover.min_healthy
    return {
        "min_healthy": {"count": least.count} if least.count is not None else {"share": least.share},
        "automatic": failover.failback == "automatic",
        "hold_down": failover.hold_down,
    }


def _when_all_down(chosen: WhenAllDown) -> str | Json:
    if chosen.respond is not None:
        return {"respond": respond_spec(chosen.respond)}
    return str(chosen.policy) if chosen.pool is None else {"pool": chosen.pool}


def _all_down(chosen: WhenAllDown) -> AllDown:
    if chosen.respond is not None:
        return "respond"
    if chosen.pool is not None:
        return "pool"
    return "fail_fast" if chosen.policy == "fail_fast" else "last_healthy" if chosen.policy == "last_healthy" else "try_all"
