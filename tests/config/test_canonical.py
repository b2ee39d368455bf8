"""The canonical form loads back to what it came from."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from forebay.config.canonical import canonical, canonical_json
from forebay.config.load import from_dict
from forebay.config.schema import GatewayConfig


@given(data=st.data())
def test_a_configuration_comes_back_from_its_canonical_form(data: st.DataObject, declarations: st.SearchStrategy[dict[str, Any]]) -> None:
    config = from_dict(data.draw(declarations), GatewayConfig)
    text = canonical_json(config)
    again = from_dict(json.loads(text), GatewayConfig)
    assert again == config
    assert canonical_json(again) == text


@given(data=st.data())
def test_a_configuration_comes_back_from_its_models_json(data: st.DataObject, declarations: st.SearchStrategy[dict[str, Any]]) -> None:
    config = from_dict(data.draw(declarations), GatewayConfig)
    assert GatewayConfig(**config.model_dump(mode="json")) == config
    assert GatewayConfig.model_validate_json(config.model_dump_json()) == config


def test_values_stand_as_a_user_would_write_them() -> None:
    data = {"gateway": {"listen": ":80", "shutdown_grace": 90}, "pools": {"a": {"endpoints": ["http://b"], "max_inflight": None}}}
    form = canonical(from_dict(data, GatewayConfig))
    assert form["gateway"]["listen"] == [":80"]
    assert form["gateway"]["shutdown_grace"] == "90s"
    assert "admin" not in form["gateway"]
    assert form["pools"]["a"]["endpoints"] == [{"address": "b:80", "weight": 1, "tier": 0}]
    assert form["pools"]["a"]["max_inflight"] == "off"
    assert form["limits"]["max_head"] == "32KiB"
