"""The house keeps its own rules: who may import whom, what is public, how long things are."""

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import forebay

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/forebay"

# Each room imports only rooms of a smaller number; rooms of the same number know nothing of one another.
ORDER = {
    "types": 0,
    "errors": 0,
    "balance": 1,
    "failover": 2,
    "model": 3,
    "config": 4,
    "control": 5,
    "simulate": 6,
    "balancer": 6,
    "observe": 7,
    "admin": 8,
    "gateway": 9,
    "": 10,  # the package itself: the public names
    "testing": 11,
    "cli": 11,
    "__main__": 12,
}
PURE = {"types", "errors", "balance", "failover", "model"}
MAY_IMPORT_ENGINE = {"control", "simulate", "balancer", "observe", "gateway"}

LONGEST_FILE = 400
LONGEST_FUNCTION = 60


class Import(NamedTuple):
    """Module `source` imports module `target`, both named without the package (`config.load`); the package itself is empty."""

    source: str
    target: str
    line: int


def room(module: str) -> str:
    return module.partition(".")[0]


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(known: dict[str, Path]) -> Iterator[Import]:
    """Yield every import of one module of the package by another, wherever in the file it stands."""
    for source, path in known.items():
        inside = source if path.name == "__init__.py" else source.rpartition(".")[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                targets = list(_named(node, inside, known))
            else:
                continue
            for target in targets:
                if target == "forebay" or target.startswith("forebay."):
                    yield Import(source, target.removeprefix("forebay").removeprefix("."), node.lineno)


def _named(node: ast.ImportFrom, inside: str, known: dict[str, Path]) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        climbed = ["forebay", *filter(None, inside.split("."))]
        base = ".".join([*climbed[: len(climbed) - node.level + 1], *filter(None, [node.module])])
    for alias in node.names:
        full = f"{base}.{alias.name}"
        is_module = full.removeprefix("forebay.") in {*known, "_engine"}
        yield full if is_module else base


KNOWN = modules()
IMPORTS = list(imports(KNOWN))


def test_every_module_belongs_to_a_room_with_a_place_in_the_order() -> None:
    assert {room(module) for module in KNOWN} <= set(ORDER)


def test_a_module_imports_only_what_stands_above_its_room() -> None:
    upward = [
        f"{KNOWN[source].relative_to(ROOT)}:{line} imports {target or 'forebay'}"
        for source, target, line in IMPORTS
        if room(target) not in {room(source), "_engine"} and ORDER[room(target)] >= ORDER[room(source)]
    ]
    assert upward == []


def test_no_modules_import_one_another_in_a_circle() -> None:
    ahead: dict[str, set[str]] = {module: set() for module in KNOWN}
    for source, target, _ in IMPORTS:
        if target in KNOWN and target != source:
            ahead[source].add(target)
    while leaves := {module for module, targets in ahead.items() if not targets}:
        ahead = {module: targets - leaves for module, targets in ahead.items() if module not in leaves}
    assert ahead == {}, "these modules wait for one another"


def test_only_the_rooms_that_run_the_engine_import_it() -> None:
    users = {room(source) for source, target, _ in IMPORTS if room(target) == "_engine"}
    assert users <= MAY_IMPORT_ENGINE


def test_pure_rooms_import_neither_clock_nor_randomness_nor_network() -> None:
    impure = {"time", "random", "socket", "asyncio", "threading", "secrets", "subprocess"}
    found = []
    for module, path in KNOWN.items():
        if room(module) not in PURE:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                found += [f"{path.relative_to(ROOT)}:{node.lineno} {name}" for name in names if name.partition(".")[0] in impure]
    assert found == []


def test_the_public_names_are_the_list_and_each_is_there() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    bound = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
        if not (alias.asname or alias.name).startswith("_")
    }
    listed = set(forebay.__all__)
    assert bound <= listed, "imported, but not listed in __all__"
    assert [name for name in listed if not hasattr(forebay, name)] == []
    assert len(listed) == len(forebay.__all__)


def test_every_error_is_a_public_name() -> None:
    errors = importlib.import_module("forebay.errors")
    kinds = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.ForebayError)}
    assert kinds <= set(forebay.__all__)


def test_the_version_is_stated_once_and_has_its_notes() -> None:
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert forebay.__version__ == version
    assert importlib.import_module("forebay._engine").__version__ == version
    assert re.search(rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def sources() -> list[Path]:
    folders = ["src", "engine", "binding", "tests", "bench", "examples", "docs"]
    found = [path for folder in folders for kind in ("*.py", "*.pyi", "*.rs") for path in (ROOT / folder).rglob(kind)]
    return sorted(path for path in found if not {"target", ".cache", "__pycache__"} & set(path.parts))


def test_a_file_stays_under_four_hundred_lines() -> None:
    counted = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    assert {path: lines for path, lines in counted.items() if lines >= LONGEST_FILE} == {}


def test_a_function_has_at_most_sixty_lines() -> None:
    # Clippy holds the Rust functions to the same number: clippy.toml.
    long = {}
    for path in sources():
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or node.lineno) - node.lineno + 1
                    if lines > LONGEST_FUNCTION:
                        long[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = lines
    assert long == {}


def test_the_folders_of_tests_are_named_like_the_rooms_they_test() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("test_*.py"))}
    assert folders <= {*ORDER, "chaos", "e2e", "protocol"}


def test_the_order_of_the_architecture_is_the_order_that_is_tested() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    stated = re.search(r"^```text order\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert stated, "ARCHITECTURE.md has no block marked `text order`"
    names = [re.findall(r"[a-z]+", rank) for rank in stated[1].split("<-")]
    places = [{ORDER[name] for name in rank} for rank in names]
    assert all(max(lower) < min(higher) for lower, higher in pairwise(places))
    present = {room(module) for module in KNOWN} - {"", "testing", "__main__"}
    assert present <= {name for rank in names for name in rank}
