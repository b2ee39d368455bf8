"""The one canonical form of a configuration: JSON in the shape of a file, with every key in its place and every value as it is
printed (`"2s"`, `"64KiB"`, `"off"`). `load.from_dict` reads it back to an equal configuration; but for a secret, which is masked and must
be written back in first.
"""

from __future__ import annotations

import json
from typing import Any

from forebay.config.schema import GatewayConfig
from forebay.config.words import GATEWAY_KEYS


def canonical(config: GatewayConfig) -> dict[str, Any]:
    """The whole configuration as plain data; keys that have neither a value nor a default are left out."""
    keys = _without_null(config.model_dump(mode="json"))
    gateway = {key: keys.pop(key) for key in GATEWAY_KEYS if key in keys}
    return {"gateway": gateway, **keys}


def canonical_json(config: GatewayConfig) -> str:
    """The same as text, always the same for equal configurations."""
    return json.dumps(canonical(config), indent=2, ensure_ascii=False)


def _without_null(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, dict):
        return {key: _without_null(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_null(each) for each in value]
    return value
