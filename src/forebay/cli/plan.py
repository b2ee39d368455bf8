"""A change of a whole configuration, as the command line orders it: first what will change, then the change."""

from collections.abc import Mapping
from typing import Any, Final

from forebay.admin.client import post
from forebay.cli.output import emit, report, say
from forebay.errors import Fault
from forebay.types import Address

_PATIENCE: Final = 60.0
"""Seconds that a gateway may take for it: names are looked up, and modules imported."""


def apply(path: str, body: Mapping[str, Any], gateway: Address, *, dry_run: bool, as_json: bool) -> None:
    """Order it at `path`, and say what it comes to.

    Raises:
        ConfigError: with every fault.
        ForebayError, ControlError: as `post` does.
    """
    plan = post(gateway, path, {**body, "dry_run": True}, patience=_PATIENCE)
    if not as_json:
        _show(plan)
    done = plan if dry_run else post(gateway, path, dict(body), patience=_PATIENCE)
    if as_json:
        emit(done)
        return
    if dry_run:
        say("nothing has changed: this was a dry run" if plan["changes"] else "nothing differs")
        return
    if done["changes"] != plan["changes"]:
        say("it was changed once more meanwhile; what serves now differs from what served before by:")
        _show(done)
    say(f"snapshot {done['snapshot']} serves{_kept(done)}")


def _show(outcome: Mapping[str, Any]) -> None:
    for change in outcome["changes"]:
        say(change["text"])
    report(Fault(**warning) for warning in outcome["warnings"])


def _kept(done: Mapping[str, Any]) -> str:
    return "" if done["configuration"] is None else f", kept as configuration {done['configuration']}"
