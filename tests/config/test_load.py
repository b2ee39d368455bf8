"""A file is read whole, and every fault of it is told at once with its line."""

from pathlib import Path

import pytest

from forebay.config.load import from_dict, load, loads
from forebay.config.schema import GatewayConfig
from forebay.config.table import Table
from forebay.errors import ConfigError, Fault

FAULTY = Path(__file__).parent / "faulty.toml"
EVERY_KEY = Path(__file__).parent / "every_key.toml"
SERVE = '[gateway]\nlisten = "127.0.0.1:0"\n[pools.app]\nendpoints = ["a:1"]\n'


def read(text: str, **environment: str) -> GatewayConfig:
    return loads(text, "gateway.toml", GatewayConfig, environment)


def faults(text: str, **environment: str) -> list[Fault]:
    with pytest.raises(ConfigError) as caught:
        read(text, **environment)
    return caught.value.faults


def test_a_file_full_of_faults_tells_each_of_them_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FAULTY.parent)
    monkeypatch.delenv("FOREBAY_TEST_UNSET", raising=False)
    with pytest.raises(ConfigError) as caught:
        load("faulty.toml")
    expected = FAULTY.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    assert str(caught.value).splitlines() == expected
    assert len(expected) > 25


def test_every_line_of_the_faulty_file_that_says_so_is_at_fault() -> None:
    with pytest.raises(ConfigError) as caught:
        load(FAULTY)
    marked = {number for number, line in enumerate(FAULTY.read_text(encoding="utf-8").splitlines(), 1) if "# fault" in line}
    assert {fault.line for fault in caught.value.faults} == marked


def test_every_key_of_the_schema_may_be_written() -> None:
    config = load(EVERY_KEY)
    assert config.threads == 2
    assert config.listeners["web"].bind[1].port == 8443
    assert [route.name for route in config.routes] == ["api", "old", "health", None]
    assert config.pools["app"].endpoints[1].weight == 2
    assert config.limits.total_timeout == 3600


def test_the_file_with_every_key_leaves_none_out() -> None:
    written: dict[type[Table], set[str]] = {}
    gather(load(EVERY_KEY), written)
    lacking = {table.__name__: set(table.model_fields) - keys for table, keys in written.items()}
    assert {name: keys for name, keys in lacking.items() if keys} == {"GatewayConfig": {"listen"}}
    assert len(written) == 21


def gather(value: object, written: dict[type[Table], set[str]]) -> None:
    if isinstance(value, Table):
        written.setdefault(type(value), set()).update(value.model_fields_set)
        value = [getattr(value, key) for key in value.model_fields_set]
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        gather(each, written)


def test_no_fault_has_a_line_where_python_declared_it() -> None:
    with pytest.raises(ConfigError) as caught:
        from_dict({"gateway": {"lisen": 1}, "pools": {}}, GatewayConfig)
    assert [str(fault) for fault in caught.value.faults] == [
        'gateway.lisen: unknown key; did you mean "listen"?',
        'gateway.listen: no address to listen on; write listen = "127.0.0.1:8080", or a table [listeners.web] with bind',
        'pools: nothing is declared to serve; write [pools.app] and then endpoints = ["10.0.0.1:80"]',
    ]


def test_broken_syntax_keeps_its_line() -> None:
    (fault,) = faults('[gateway]\nlisten "x"\n')
    assert str(fault) == "gateway.toml:2: not TOML: expected '=' after a key in a key/value pair (column 8)"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("balance = least(inflight / weight)", 'put a text in quotes: balance = "least(inflight / weight)"'),
        ("balance = random  # by lot", 'put a text in quotes: balance = "random"'),
        ('balance = "consistent_hash(key="header:x-user")"', "inside the quotes of a text write ' for \""),
        ("max_inflight = 1x", None),
        ('host = "a" b', None),
        ("affinity = {", None),
        ("= 1", None),
    ],
)
def test_quotes_that_are_missing_or_doubled_are_told(line: str, hint: str | None) -> None:
    (fault,) = faults(f"[pools.app]\n{line}\n")
    assert (fault.line, fault.hint) == (2, hint)
    assert fault.message.startswith("not TOML: ")


def test_syntax_broken_at_the_end_is_told_with_the_last_line() -> None:
    (fault,) = faults("[gateway]\na = [1,\n2")
    assert (fault.line, fault.message) == (3, "not TOML: unclosed array (end of the file)")


def test_a_file_that_is_not_there_is_one_fault() -> None:
    with pytest.raises(ConfigError) as caught:
        load("/nowhere/gateway.toml")
    assert str(caught.value) == "/nowhere/gateway.toml: cannot be read: No such file or directory"


def test_a_file_in_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes(b"# one\n# \xe9\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"{path}:2: is not UTF-8; save it in UTF-8"


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SERVE.encode())
    assert load(path) == read(SERVE)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('listen = "127.0.0.1:1"\n', "it belongs into the table [gateway]"),
        ('lisen = "127.0.0.1:1"\n', 'did you mean "listen" in [gateway]?'),
        ("[pool.app]\n", 'did you mean "pools"?'),
        ("[health]\n", "the tables are [gateway], [limits], [listeners.NAME], [[routes]] and [pools.NAME]"),
        ("[gateway.limits]\n", "[limits] is a table of its own, beside [gateway]"),
        ("[pools.app]\nendpoints = ['a:1']\ntier = 1\n", None),
    ],
)
def test_a_key_in_the_wrong_place_says_where_it_belongs(text: str, hint: str | None) -> None:
    unknown = [fault for fault in faults(text) if fault.message == "unknown key"]
    assert len(unknown) == 1
    assert hint is None or unknown[0].hint == hint


def test_keys_of_later_versions_are_unknown_like_any_other() -> None:
    text = SERVE + "warm_up = {}\n[pools.app.quota]\nrate = 1\n[pools.app.retry]\nbackoff = 0.2\n"
    found = [(fault.key, fault.line, fault.message) for fault in faults(text)]
    assert found == [
        ("pools.app.warm_up", 5, "unknown key"),
        ("pools.app.quota", 6, "unknown key"),
        ("pools.app.retry.backoff", 9, "unknown key"),
    ]


def test_numbers_and_truths_can_come_from_the_environment() -> None:
    text = SERVE.replace("[pools", 'threads = "${THREADS}"\n[pools') + 'max_inflight = "${CAP:-off}"\n'
    config = read(text, THREADS="3")
    assert config.threads == 3
    assert config.pools["app"].max_inflight is None


def test_an_incomplete_string_is_no_second_fault() -> None:
    (fault,) = faults(SERVE.replace("127.0.0.1:0", "${ADDRESS}"))
    assert str(fault).startswith("gateway.toml:2: gateway.listen: the environment has no variable ADDRESS")


def test_a_missing_key_is_told_at_its_table() -> None:
    (fault,) = faults(SERVE + "[pools.b]\nhost = 'client'\n[[routes]]\npool = 'app'\n")
    assert str(fault) == 'gateway.toml:5: pools.b.endpoints: missing; write endpoints = ["10.0.0.1:80"]'


def test_a_subclass_is_loaded_as_itself() -> None:
    class Sub(GatewayConfig):
        pass

    assert isinstance(loads(SERVE, "x", Sub), Sub)


def test_a_configuration_is_equal_wherever_it_was_read() -> None:
    assert read(SERVE) == loads("\n\n" + SERVE, "other.toml", GatewayConfig)
