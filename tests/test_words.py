"""The words about the house are true: paths exist, rooms are named, links lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/forebay"
HOUSES = [ROOT, PACKAGE, ROOT / "engine/src", ROOT / "docs"]
BUILT = {"target", "dist"}


def documents() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_between_documents_leads_to_a_file_and_heading(document: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_blocks(document.read_text())):
        if "://" in link:
            continue
        path, _, fragment = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (fragment and fragment not in headings(target)):
            dead.append(link)
    assert dead == []


def headings(document: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a document."""
    titles = re.findall(r"^#+ (.+)$", without_blocks(document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def tree(text: str) -> Iterator[str]:
    """Yield the path of each line of ARCHITECTURE.md's tree: an entry lies in the last folder above that is indented less."""
    block = re.search(r"^```text tree\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block, "ARCHITECTURE.md has no block marked `text tree`"
    above: list[tuple[int, str]] = []
    for line in block[1].splitlines():
        indent = len(line) - len(line.lstrip())
        names = re.match(r"\S+(?: \S+)*", line.strip())
        if not names:
            continue
        while above and above[-1][0] >= indent:
            above.pop()
        parent = above[-1][1] if above else ""
        for name in names[0].split(" "):
            yield parent + name
        if names[0].endswith("/") and " " not in names[0]:
            above.append((indent, parent + names[0]))


def test_every_path_named_in_the_architecture_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    spans = re.findall(r"`([^`\s]+)`", without_blocks(text))
    prose = [span for span in spans if re.fullmatch(r"\.?[\w\-]+(?:/[\w.\-]+)+/?|[\w\-]+\.(?:py|pyi|rs|md|toml|lock)", span)]
    assert len(prose) > 10, "the pattern finds the paths of the prose"
    assert [path for path in [*tree(text), *prose] if not (ROOT / path).exists()] == []


def test_every_room_is_named_in_the_architecture() -> None:
    named = {path.rstrip("/") for path in tree((ROOT / "ARCHITECTURE.md").read_text())}
    folders = [path for house in HOUSES for path in house.iterdir() if path.is_dir() and any(path.rglob("*.*"))]
    files = [*PACKAGE.glob("*.py"), *(ROOT / "engine/src").glob("*.rs")]
    rooms = {str(path.relative_to(ROOT)) for path in [*folders, *files] if not path.name.startswith((".", "__")) and path.name not in BUILT}
    assert sorted(rooms - named) == []
