"""The reference says what the schema says."""

import json
from pathlib import Path

import pytest

from forebay.config import reference
from forebay.config.pools import Pool
from forebay.config.schema import GatewayConfig


def test_the_generated_reference_is_current() -> None:
    assert reference.outdated() == []


def test_a_missing_or_changed_file_is_out_of_date(tmp_path: Path) -> None:
    assert reference.outdated(tmp_path) == ["configuration.md", "policies.md", "forebay.schema.json"]
    for name, text in reference.documents().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert reference.outdated(tmp_path) == []
    (tmp_path / "configuration.md").write_text("old", encoding="utf-8")
    assert reference.outdated(tmp_path) == ["configuration.md"]


def test_check_exits_1_and_names_what_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "FOLDER", tmp_path / "reference")
    monkeypatch.setattr(reference.outdated, "__defaults__", (tmp_path / "reference",))
    assert reference.main(["--check"]) == 1
    assert "configuration.md is out of date" in capsys.readouterr().err
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    assert reference.main(["--chek"]) == 2


def test_the_page_has_every_key_with_its_default() -> None:
    page = reference.page()
    for key in (*GatewayConfig.model_fields, *Pool.model_fields):
        assert f"| `{key}` |" in page or f"{key}" in {"limits", "listeners", "routes", "pools"}
    assert '| `head_timeout` | duration | `"10s"` |' in page


def test_the_json_schema_has_the_shape_of_a_file() -> None:
    schema = json.loads(json.dumps(reference.schema()))
    assert set(schema["properties"]) == {"gateway", "limits", "listeners", "routes", "pools"}
    assert "listen" in schema["properties"]["gateway"]["properties"]
    assert schema["$defs"]["Endpoint"]["anyOf"][0] == {"type": "string"}
    assert '"null"' not in json.dumps(schema)
