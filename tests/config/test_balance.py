"""The `balance` of a pool: the same policy from a file, from Python and from the canonical form."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay import ConfigError, Gateway, Pool, balance
from forebay import endpoint as e
from forebay.balance import DEFAULT, POLICIES, Policy, parse
from forebay.config import canonical_json, from_dict
from forebay.config.load import loads
from forebay.config.schema import GatewayConfig

FILE = '[gateway]\nlisten = ":1"\n[pools.app]\nendpoints = ["a:1"]\nbalance = {}\n'


def from_file(text: str) -> Policy:
    return loads(FILE.format(json.dumps(text)), "gateway.toml", GatewayConfig).pools["app"].balance


def faults(**keys: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Pool(["a:1"], **keys)
    return [str(fault) for fault in caught.value.faults]


def test_a_policy_is_the_same_from_a_file_and_from_python() -> None:
    pool = Pool(["a:1"], balance=balance.least((e.inflight + 1) * e.service_time / e.weight))
    assert pool.balance == from_file("least((inflight+1) * service_time / weight)")
    assert pool == Pool(["a:1"], balance="least((inflight + 1) * service_time / weight)")
    assert Pool(["a:1"], balance=balance.round_robin) == Pool(["a:1"], balance="round_robin()")
    assert Pool(["a:1"]).balance == parse(DEFAULT)


@pytest.mark.parametrize("name", sorted(set(POLICIES) - {"least", "most", "python"}))
def test_every_policy_may_stand_in_a_file(name: str) -> None:
    assert from_file(name) == POLICIES[name]()


@given(data=st.data())
def test_the_canonical_form_is_the_text_and_reads_back_to_the_same_policy(data: st.DataObject) -> None:
    score = data.draw(st.sampled_from([e.inflight / e.weight, e.age * (e.latency + 0.5), -e.reported("kv_cache")]))
    policy = data.draw(
        st.sampled_from(
            [
                balance.least(score),
                balance.most(score, choices=data.draw(st.integers(1, 64)), ties="rotate"),
                balance.power_of_two(score),
                balance.consistent_hash(
                    key=data.draw(st.sampled_from(["path", "header:X", "query:a b"])),
                    bounded_load=data.draw(st.one_of(st.none(), st.floats(1, 1000))),
                    fallback=balance.least(score),
                ),
                balance.first_available(limit=data.draw(st.integers(1, 2**31 - 1))),
                balance.python("a.b:c", budget=data.draw(st.floats(0.001, 1))),
            ]
        )
    )
    config = Gateway(listen=":1", pools={"app": Pool(["a:1"], balance=policy)})
    data_form = json.loads(canonical_json(config))
    assert data_form["pools"]["app"]["balance"] == str(policy)
    assert from_dict(data_form, Gateway) == config


def test_what_exists_only_in_this_process_is_declared_but_not_carried_elsewhere() -> None:
    config = Gateway(listen=":1", pools={"app": Pool(["a:1"], balance=balance.python(lambda *given: given[-1]))})
    assert config.pools["app"].balance.local
    with pytest.raises(ConfigError, match="is local: it exists only in the process that made it"):
        from_dict(json.loads(canonical_json(config)), Gateway)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (e.age, 'balance: "age" is a score and no policy; write least(age)'),
        (lambda *given: given[-1], "balance: a function is no policy; write balance.python(function)"),
        (balance.least, "balance: least needs arguments; write least(score, choices=None, ties='random')"),
        ("least('a')", "balance: a string is no number (column 7); an expression is made of numbers and of an endpoint's fields"),
    ],
)
def test_what_is_no_policy_is_told(value: object, told: str) -> None:
    (fault,) = faults(balance=value)
    assert fault.startswith(told.partition(" (column")[0])


@pytest.mark.parametrize("value", [3, None, True, [], {}, 1.5])
def test_a_value_of_another_kind_is_told(value: object) -> None:
    (fault,) = faults(balance=value)
    assert "is no policy" in fault


def test_a_fault_in_a_file_has_its_file_line_and_column() -> None:
    with pytest.raises(ConfigError) as caught:
        from_file("least(inflght)")
    assert str(caught.value) == 'gateway.toml:5: pools.app.balance: unknown field "inflght" (column 7); did you mean "inflight"?'
