"""The page on failover says what the rules say: its tables are read here, row by row."""

from pathlib import Path

import pytest

from forebay.config import Pool
from forebay.failover.repeat import NotRepeated, Outcome, Row, table
from forebay.failover.status import Status

PAGE = (Path(__file__).parents[2] / "docs/concepts/failover.md").read_text()
ATTEMPTS = {
    "provably did not run": Outcome.UNSENT,
    "was cut off before the first byte of an answer": Outcome.CUT_OFF,
    "was answered with one of `retry.statuses`": Outcome.STATUS,
    "got no answer within `first_byte_timeout`": Outcome.TIMED_OUT,
    "had begun to answer": Outcome.BROKEN_OFF,
    "the client left": Outcome.CLIENT_LEFT,
}


def rows(heading: str) -> dict[str, list[str]]:
    """The table under a heading: the cells of each row by its first."""
    lines = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {first.strip(): rest for first, *rest in cells}


REPEATED = rows("Why a request was repeated, and why not again")


@pytest.mark.parametrize("row", list(table()), ids=lambda row: str(row.outcome))
def test_what_is_repeated_is_what_the_page_says(row: Row) -> None:
    said = next(words for words, outcome in ATTEMPTS.items() if outcome is row.outcome)
    _, idempotent, other = REPEATED[said]
    for cell, why in ((idempotent, row.idempotent), (other, row.other)):
        assert cell.startswith("repeated") == (why is None), cell
        # That the client has left is the record's cause, and needs no second word.
        if why is not None and why is not NotRepeated.CLIENT_LEFT:
            assert f"`{why}`" in cell, cell


def test_the_page_names_every_reason_and_no_other() -> None:
    reasons = {first.strip("`") for first in REPEATED if first.startswith("`")} - {"not_repeated"}
    assert reasons == {str(why) for why in NotRepeated} - {NotRepeated.CLIENT_LEFT}


def test_the_page_has_a_row_for_every_status() -> None:
    assert [first.strip("`") for first in rows("Who gets requests: status") if first.startswith("`")] == [str(status) for status in Status]


def test_the_page_has_a_row_for_everything_that_a_pool_may_do_when_all_are_down() -> None:
    written = [first.partition(" (")[0].strip("`") for first in rows("When all are down") if first.startswith("`")]
    assert written == ["when_all_down", "try_all", "last_healthy", "fail_fast", "pool:NAME", "{ respond = {...} }"]
    answer = {"respond": {"status": 503, "body": "later"}}
    for form in (*written[1:4], "pool:other", answer):
        Pool(["127.0.0.1:80"], when_all_down=form)
