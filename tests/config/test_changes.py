"""What differs between two configurations is told whole, and nothing else."""

from typing import Any

import pytest

from forebay import Endpoint, Gateway, Pool, Route, balance
from forebay.config.changes import changes, only_by_a_start
from forebay.config.load import loads
from forebay.config.schema import GatewayConfig
from forebay.config.secrets import restored, revealed
from forebay.errors import ConfigError

SECRET = "a secret of thirty-two characters"  # noqa: S105 - of nothing


def gateway(**keys: Any) -> Gateway:
    return Gateway(**{"listen": "127.0.0.1:80", "pools": {"app": Pool(["10.0.0.1:80", "10.0.0.2:80"])}, **keys})


def told(old: Gateway, new: Gateway) -> list[str]:
    return [str(change) for change in changes(old, new)]


def test_two_that_say_the_same_differ_in_nothing() -> None:
    assert told(gateway(), gateway()) == []


def test_a_listener_is_added_removed_or_changed() -> None:
    both = {"a": {"bind": "127.0.0.1:1"}, "b": {"bind": "127.0.0.1:2"}}
    other = {"b": {"bind": "127.0.0.1:2", "half_close": True}, "c": {"bind": "127.0.0.1:3"}}
    found = told(gateway(listen=None, listeners=both), gateway(listen=None, listeners=other))
    assert found == ["removed listener a", "changed listener b: half_close false -> true", "added listener c"]


def test_of_a_pool_its_keys_and_each_endpoint_are_told() -> None:
    new = {"app": Pool(["10.0.0.3:80", Endpoint("10.0.0.1:80", weight=3)], balance="random")}
    pool, *endpoints = told(gateway(), gateway(pools=new))
    assert pool.startswith("changed pool app: balance ")
    assert " -> random" in pool
    assert endpoints == [
        "removed endpoint app/10.0.0.2:80",
        "added endpoint app/10.0.0.3:80",
        "changed endpoint app/10.0.0.1:80: weight 1 -> 3",
    ]


def test_of_a_table_within_a_pool_only_what_differs_is_told() -> None:
    def pool(**keys: Any) -> Gateway:
        return gateway(pools={"app": Pool(["10.0.0.1:80", "10.0.0.2:80"], **keys)})

    found = told(pool(failover={"hold_down": 2}), pool(failover={"hold_down": 2, "failback": "manual"}))
    assert found == ["changed pool app: failover.failback automatic -> manual"]
    cookies = [pool(affinity={"cookie": "c", "secret": letter * 32}) for letter in "ab"]
    assert told(*cookies) == ["changed pool app: affinity"]
    [text] = told(pool(), pool(when_all_down={"respond": {"status": 503, "body": "soon"}}))
    assert text.startswith("changed pool app: when_all_down {policy = try_all} -> {respond = {status = 503, body = soon")


def test_a_new_order_of_endpoints_is_a_change_since_rotations_follow_it() -> None:
    new = {"app": Pool(["10.0.0.2:80", "10.0.0.1:80"])}
    assert told(gateway(), gateway(pools=new)) == ["changed pool app: order of the endpoints"]


def test_a_new_order_of_routes_is_a_change_since_the_first_match_wins() -> None:
    a, b = Route(name="a", match={"path": "/a"}, pool="app"), Route(name="b", pool="app")
    assert told(gateway(routes=[a, b]), gateway(routes=[b, a])) == ["changed gateway: order of the routes a, b -> b, a"]


def test_limits_and_what_is_the_gateways_own_are_told() -> None:
    found = told(gateway(), gateway(limits={"max_body": "1MiB"}, trusted_proxies=["10.0.0.0/8"]))
    assert found == ["changed gateway: trusted_proxies [] -> [10.0.0.0/8]", "changed limits: max_body off -> 1MiB"]


@pytest.mark.parametrize(
    ("key", "value"), [("threads", 3), ("admin", "127.0.0.1:9900"), ("access_log", "stderr"), ("state_dir", "/var/lib/forebay")]
)
def test_what_only_a_start_can_change_is_a_fault_with_its_remedy(key: str, value: Any) -> None:
    (fault,) = only_by_a_start(gateway(), gateway(**{key: value}))
    assert fault.key == f"gateway.{key}"
    assert fault.hint is not None
    assert "forebay upgrade" in fault.hint


def test_a_secret_that_was_declared_by_name_is_kept_by_name() -> None:
    affinity = f'affinity = {{ cookie = "c", secret = "{SECRET}" }}'
    text = f'[gateway]\nlisten = ":80"\nadmin_token = "${{TOKEN}}"\n[pools.app]\nendpoints = ["10.0.0.1:80"]\n{affinity}\n'
    config = loads(text, "gateway.toml", GatewayConfig, {"TOKEN": SECRET})
    value, references = revealed(config)
    assert value["gateway"]["admin_token"] == "${TOKEN}"  # noqa: S105 - its name
    assert value["pools"]["app"]["affinity"]["secret"] == SECRET
    again = restored(value, references, {"TOKEN": SECRET}, GatewayConfig)
    assert again == config
    assert revealed(again)[1] == references
    with pytest.raises(ConfigError, match="the environment has no variable TOKEN"):
        restored(revealed(config)[0], references, {}, GatewayConfig)


def test_what_exists_only_in_this_process_is_not_carried_elsewhere() -> None:
    config = gateway(pools={"app": Pool(["10.0.0.1:80"], balance=balance.python(lambda _request, candidates: candidates[0]))})
    with pytest.raises(ConfigError, match="is local"):
        revealed(config)
