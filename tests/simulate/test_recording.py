"""A recorded access log's arrivals."""

import pytest

from forebay.simulate import read
from forebay.types import Malformed


def test_arrivals_are_counted_from_the_first_and_in_order() -> None:
    # Records are written when their requests end, so a log's times go back and forth.
    lines = [
        '{"time":"2026-03-01T12:00:01.500Z","status":200}\n',
        '{"time":"2026-03-01T12:00:01.000Z"}\n',
        "\n",
        '{"time":"2026-03-01T12:00:03Z"}\n',
    ]
    assert read(lines).times == pytest.approx((0.0, 0.5, 2.0))


@pytest.mark.parametrize("line", ["12:00 GET / 200", '{"status":200}', '{"time":5}', "[]", '{"time":"noon"}'])
def test_what_is_no_record_is_named_by_its_line(line: str) -> None:
    with pytest.raises(Malformed, match="line 2"):
        read(['{"time":"2026-03-01T12:00:01Z"}', line])


def test_an_empty_log_is_refused() -> None:
    with pytest.raises(Malformed, match="no request"):
        read(["\n"])
