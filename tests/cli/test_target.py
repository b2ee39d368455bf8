"""`module:attribute`, as Uvicorn users expect it, and errors without a traceback of ours."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay import ConfigError
from forebay.balance import resolve
from forebay.cli.target import load

GATEWAY = 'from forebay import Gateway, Pool\ngateway = Gateway(listen="127.0.0.1:0", pools={"app": Pool(["10.0.0.1:80"])})\n'


@pytest.fixture(autouse=True)
def modules(work: Path) -> Iterator[None]:
    """What a test imports is forgotten after it."""
    assert work.exists()
    path, known = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def fault(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(text)
    return "\n".join(map(str, caught.value.faults))


def test_a_module_of_the_current_directory_is_found(work: Path) -> None:
    (work / "service.py").write_text(GATEWAY)
    target = load("service:gateway")
    assert list(target.gateway.pools) == ["app"]
    assert target.name == "service.gateway"


def test_a_file_may_name_a_function_of_the_current_directory(work: Path) -> None:
    (work / "tenants.py").write_text("def choose(request, candidates):\n    return None\n")
    (work / "named.toml").write_text(
        '[gateway]\nlisten = "127.0.0.1:0"\n[pools.app]\nendpoints = ["10.0.0.1:80"]\nbalance = "python:tenants:choose"\n'
    )
    sys.path[:] = [path for path in sys.path if path]
    load("named.toml")
    assert resolve("tenants:choose").__module__ == "tenants"


def test_so_is_one_in_a_package_and_an_attribute_of_an_attribute(work: Path) -> None:
    (work / "shop").mkdir()
    (work / "shop/edge.py").write_text(f"{GATEWAY}class Settings:\n    gateway = gateway\n")
    assert load("shop.edge:Settings.gateway").name == "shop.edge.Settings.gateway"


def test_a_file_is_called_by_its_stem(work: Path) -> None:
    assert load("good.toml").name == "good"
    assert load(str(work / "good.toml")).name == "good"


def test_a_file_whose_name_reads_like_a_module_goes_first(work: Path) -> None:
    (work / "service:gateway").write_text((work / "good.toml").read_text())
    assert list(load("service:gateway").gateway.pools) == ["app"]


def test_a_missing_module_says_where_it_was_looked_for(work: Path) -> None:
    assert fault("nowhere:gateway") == (
        f"nowhere:gateway: there is no module nowhere; run the command where nowhere.py is (this is {work}), or install it"
    )


def test_a_missing_attribute_names_the_gateways_that_are_there(work: Path) -> None:
    (work / "service.py").write_text(GATEWAY)
    assert fault("service:app") == "service:app: the module has no app; it has service:gateway"


def test_an_attribute_that_is_something_else_says_what_it_is(work: Path) -> None:
    (work / "service.py").write_text("app = 5\n")
    assert fault("service:app") == "service:app is no forebay.Gateway, its type is int; name one that is"


def test_a_python_file_is_told_from_a_configuration(work: Path) -> None:
    (work / "service.py").write_text(GATEWAY)
    assert fault("service.py") == "service.py: is a Python file, not TOML; name the gateway in it, as service:gateway"


def test_what_is_neither_a_file_nor_a_module_says_how_both_are_named(work: Path) -> None:
    assert not (work / "service").exists()
    told = "service: cannot be read: No such file or directory; name a TOML file, or a gateway as MODULE:ATTRIBUTE"
    assert fault("service") == told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nothing_of_that_name\n", "/service.py:1: service:app cannot be imported: ModuleNotFoundError: No module named"),
        ("x = 1\ny = x / 0\n", "/service.py:2: service:app cannot be imported: ZeroDivisionError: division by zero"),
        ("x = (\n", "/service.py:1: service:app cannot be imported: '(' was never closed"),
        ("import sys\nsys.exit('no database')\n", "/service.py:2: service:app cannot be imported: SystemExit: no database"),
    ],
    ids=["a missing dependency", "an exception", "a syntax error", "an exit"],
)
def test_a_module_that_breaks_says_where_in_its_own_code(work: Path, text: str, words: str) -> None:
    (work / "service.py").write_text(text)
    told = fault("service:app")
    assert words in told
    assert "importlib" not in told
    assert "forebay/cli" not in told


def test_a_module_whose_gateway_is_at_fault_says_that_fault(work: Path) -> None:
    (work / "service.py").write_text(GATEWAY.replace("10.0.0.1:80", "10.0.0.1"))
    assert "has no port" in fault("service:gateway")
