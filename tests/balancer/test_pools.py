"""What is declared, and what changes while it runs; also in a forked child."""

import json
import math
import os
import threading

import pytest

from forebay import Balancer, ConfigError, ForebayError, Pool, balance
from forebay.testing import FakeClock

from .asking import THREE, counted, fail, picked, settle


def test_new_endpoints_serve_at_once_and_those_that_stay_keep_their_counts() -> None:
    balancer = Balancer(THREE[:2], balance="round_robin")
    for _ in range(10):
        picked(balancer)
    fail(balancer, THREE[0])
    balancer.set_endpoints(THREE[1:])
    assert list(balancer.statistics()) == THREE[1:]
    assert (counted(balancer, "picks"), counted(balancer, "failures")) == ([6, 0], [1, 0])
    assert {picked(balancer) for _ in range(10)} == set(THREE[1:])


def test_a_block_goes_on_while_its_endpoint_leaves_and_moves() -> None:
    balancer = Balancer(THREE[:2], balance="round_robin")
    with balancer.pick() as leaves, balancer.pick() as moves:
        balancer.set_endpoints([THREE[2], THREE[1]])
        assert (leaves.id, moves.id) == (THREE[0], THREE[1])
        assert counted(balancer, "inflight") == [0, 1]
        with balancer.pick(tried=[leaves, moves]) as other:
            assert other.id == THREE[2]
    assert counted(balancer, "inflight") == [0, 0]


def test_endpoints_that_make_no_sense_change_nothing() -> None:
    balancer = Balancer(THREE)
    for wrong in ([], ["10.0.0.1"], ["10.0.0.1:80", "10.0.0.1:80"]):
        with pytest.raises(ConfigError, match="endpoints"):
            balancer.set_endpoints(wrong)
    assert list(balancer.statistics()) == THREE


def test_threads_pick_right_while_the_endpoints_change() -> None:
    balancer = Balancer(THREE, balance="random")
    over = threading.Event()
    wrong: list[str] = []

    def work() -> None:
        while not over.is_set():
            with balancer.pick(tried=THREE[:1]) as endpoint:
                if endpoint.id == THREE[0]:
                    wrong.append(endpoint.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(300):
        balancer.set_endpoints(THREE[number % 2 :] if number % 3 else THREE[::-1])
    over.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert set(counted(balancer, "inflight")) == {0}


def test_what_a_server_reports_is_read_by_policies() -> None:
    clock = FakeClock(100.0)
    balancer = Balancer(THREE, balance="least(reported_load)", clock=clock)
    for name, load in zip(THREE, (0.9, 0.1, 0.5), strict=True):
        balancer.report(name, load, {"kv_cache": load})
    settle(balancer, clock)
    assert counted(balancer, "reported_load") == [0.9, 0.1, 0.5]
    assert {picked(balancer) for _ in range(10)} == {THREE[1]}
    with pytest.raises(ForebayError, match=r'there is no endpoint "x"; there are 10.0.0.1:80, 10.0.0.2:80, 10.0.0.3:80'):
        balancer.report("x", 0.5)


def test_a_report_that_is_no_number_misleads_nobody() -> None:
    clock = FakeClock(100.0)
    balancer = Balancer(THREE, balance="least(reported_load + reported('queue'))", clock=clock)
    for load in (math.nan, math.inf):
        with pytest.raises(ForebayError, match=f"{load} is no load; report a number from 0 to 1"):
            balancer.report(THREE[0], load)
    for name, load, queue in zip(THREE, (7.0, -7.0, 0.5), (1.0, math.nan, math.inf), strict=True):
        balancer.report(name, load, {"queue": queue})
    settle(balancer, clock)
    assert counted(balancer, "reported_load") == [1.0, 0.0, 0.5]
    assert {picked(balancer) for _ in range(10)} == {THREE[1]}, "of the queue, which two do not tell, all have the same"


def test_statistics_are_plain_values() -> None:
    balancer = Balancer(THREE[:1])
    picked(balancer)
    now = balancer.statistics()[THREE[0]]
    assert set(now) >= {"picks", "failures", "share", "inflight", "weight", "latency", "service_time", "error_rate", "age", "reported_load"}
    assert (now["picks"], now["share"], now["weight"]) == (1, 1.0, 1.0)
    assert json.loads(json.dumps(now)) == now


def test_a_python_function_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"balance: is a Python function, which picks for the requests of a gateway; write the rule as"):
        Balancer(Pool(THREE, balance=balance.python("os.path:join")))


def test_a_pool_states_its_own_policy() -> None:
    with pytest.raises(ConfigError, match=r"balance: stands beside a Pool, which has its own; write Pool\(..., balance=...\)"):
        Balancer(Pool(THREE), balance="random")


def test_every_fault_is_said_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        Balancer(["10.0.0.1"], balance="rondom")
    assert {fault.key for fault in raised.value.faults} == {"endpoints[0]", "balance"}


def test_one_address_alone_is_no_list_of_endpoints() -> None:
    balancer = Balancer(THREE)
    for give in (Balancer, balancer.set_endpoints):
        with pytest.raises(ConfigError) as raised:
            give(THREE[0])
        assert str(raised.value) == "endpoints: must be a list, not a string; write it in brackets, as [...]"


def test_a_forked_child_goes_on_with_counts_of_its_own() -> None:
    balancer = Balancer(THREE, balance="random")
    with balancer.pick():
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            before = sum(counted(balancer, "picks")) + sum(counted(balancer, "inflight"))
            picks = [picked(balancer) for _ in range(100)]
            os.write(writing, json.dumps([before, picks]).encode())
            os._exit(0)
        os.waitpid(child, 0)
        before, theirs = json.loads(os.read(reading, 65536))
        os.close(reading)
        os.close(writing)
    assert before == 0
    assert theirs != [picked(balancer) for _ in range(100)], "it draws anew"
    assert sum(counted(balancer, "inflight")) == 0


def test_a_block_that_a_child_leaves_too_is_the_parents_alone() -> None:
    balancer = Balancer(THREE[:1])
    reading, writing = os.pipe()
    with balancer.pick():
        child = os.fork()
    if child == 0:
        os.write(writing, json.dumps(balancer.statistics()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = json.loads(os.read(reading, 65536))
    os.close(reading)
    os.close(writing)
    assert (theirs[THREE[0]]["inflight"], theirs[THREE[0]]["picks"]) == (0, 0)
    assert (counted(balancer, "inflight"), counted(balancer, "picks")) == ([0], [1])
