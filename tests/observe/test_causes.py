"""The catalogue of causes has one truth, the engine's."""

import dataclasses

from forebay import _engine
from forebay.observe.causes import BY_NAME, CAUSES


def test_the_mirror_equals_the_engines_catalogue_row_by_row() -> None:
    assert [dataclasses.asdict(cause) for cause in CAUSES] == [dict(row) for row in _engine.causes()]


def test_each_cause_has_a_name_of_its_own_and_a_remedy() -> None:
    assert len(BY_NAME) == len(CAUSES)
    assert all(cause.remedy.endswith(".") for cause in CAUSES)
