"""Orders of operators: checked against what there is, kept on disk, and carried out before they return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from forebay.config.pools import MAX_WEIGHT
from forebay.control.events import Events
from forebay.control.events import Kind as EventKind
from forebay.control.loop import Loop
from forebay.control.naming import find
from forebay.control.overlays import Kind, Overlay, Overlays, laid, without
from forebay.errors import ForebayError
from forebay.types import Malformed, describe, format_duration, parse_duration, suggest

ENDPOINT_VERBS: Final = ("drain", "undrain", "disable", "enable", "weight")
POOL_VERBS: Final = ("failback", "hold", "release")

_LIFTS: Final = {"undrain": "drain", "enable": "disable"}
_LONGEST_REASON: Final = 500


class Unknown(ForebayError):  # noqa: N818 - it names what there is not
    """There is no pool or endpoint of that name."""


class Unfit(ForebayError):  # noqa: N818 - it names what the order is
    """An order makes no sense as it was written."""


class Publisher(Protocol):
    """Who makes orders felt; see `Health`."""

    def refresh(self) -> None:
        """Have the engine know them; it does when this returns."""

    def fail_back(self, pool: str) -> bool:
        """Have a pool go back to its first tier now; whether another one served."""


@dataclass(frozen=True, slots=True)
class Note:
    """Why, and for how many seconds (None: until it is taken back)."""

    reason: str = ""
    seconds: float | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Note:
        """From the keys `reason` and `for` of a request.

        Raises:
            Unfit: for a reason that is no line of text, or a time that is no duration above zero.
        """
        reason, seconds = body.get("reason") or "", body.get("for")
        if not isinstance(reason, str) or not (reason.isprintable() and len(reason) <= _LONGEST_REASON):
            raise Unfit("the reason must be one line of text", hint=f"of at most {_LONGEST_REASON} characters")
        try:
            length = None if seconds is None else parse_duration(seconds)
        except Malformed as error:
            raise Unfit(f"for: {error.message}", hint=error.hint) from None
        if length == 0:
            raise Unfit("it must last longer than 0s", hint="leave the duration out for one without end")
        return cls(reason, length)


class Operator:
    """Takes orders from any thread. `keep` writes all of them down, `wall` is the wall clock."""

    def __init__(self, loop: Loop, health: Publisher, events: Events, keep: Callable[[Overlays], None], wall: Callable[[], float]) -> None:
        self._loop = loop
        self._health = health
        self._events = events
        self._keep = keep
        self._wall = wall

    def endpoint(self, verb: str, pool: str, endpoint: str, note: Note, weight: object = None) -> bool:
        """Carry out one of `ENDPOINT_VERBS`; returns whether that changed anything. `weight` None is the declared one.

        Raises:
            Unknown: for a pool or endpoint that there is not.
            Unfit: for a weight that is none.
            ForebayError: when it cannot be kept on disk, and then nothing has changed.
        """
        self._known(pool, endpoint)
        if verb == "weight":
            return self._weigh(pool, endpoint, note, weight)
        if verb in _LIFTS:
            return self._lift(pool, endpoint, _LIFTS[verb])
        kind: Kind = "drain" if verb == "drain" else "disable"
        return self._lay(self._overlay(pool, endpoint, kind, note))

    def pool(self, verb: str, pool: str, note: Note) -> bool:
        """Carry out one of `POOL_VERBS`; returns whether that changed anything.

        Raises:
            Unknown: for a pool that there is not.
            Unfit: for a hold without a reason.
            ForebayError: when it cannot be kept on disk, and then nothing has changed.
        """
        self._known(pool, None)
        if verb == "failback":
            changed = self._health.fail_back(pool)
            if changed:
                self._events.note("operator", f"fail-back ordered{_because(note)}", pool=pool, reason="operator")
            return changed
        if verb == "release":
            return self._lift(pool, None, "hold")
        if not note.reason:
            raise Unfit("a hold needs a reason", hint="say why the pool is frozen: whoever wonders later reads it in `forebay endpoints`")
        return self._lay(self._overlay(pool, None, "hold", note))

    def named(self, pool: str, text: str) -> str:
        """The id of the endpoint of a pool that is meant by an id or an address.

        Raises:
            Unknown: for a pool that there is not.
            ForebayError: for an endpoint that there is not, and for an address that means several.
        """
        self._known(pool, None)
        specs = self._loop.effective.snapshot["pools"][pool]["endpoints"]
        return str(find(text, [{"pool": pool, **each} for each in specs])["id"])

    def _overlay(self, pool: str, endpoint: str | None, kind: Kind, note: Note) -> Overlay:
        now = self._wall()
        return Overlay(pool, endpoint, kind, now, note.reason, None if note.seconds is None else now + note.seconds)

    def _weigh(self, pool: str, endpoint: str, note: Note, weight: object) -> bool:
        if weight is None:
            return self._lift(pool, endpoint, "weight")
        if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= MAX_WEIGHT:
            what = weight if isinstance(weight, int | float) and not isinstance(weight, bool) else describe(weight)
            raise Unfit(f"a weight is a whole number from 0 to {MAX_WEIGHT}, not {what}", hint="leave it null for the declared one")
        return self._lay(replace(self._overlay(pool, endpoint, "weight", note), weight=weight))

    def _lay(self, overlay: Overlay) -> bool:
        self._loop.overlay(lambda overlays, revision: laid(overlays, replace(overlay, revision=revision)), self._keep)
        self._tell(overlay, _WORDS[overlay.kind].format(weight=overlay.weight) + _because(Note(overlay.reason, overlay.left(overlay.at))))
        self._health.refresh()
        return True

    def _lift(self, pool: str, endpoint: str | None, kind: Kind | str) -> bool:
        found = [each for each in self._loop.desired.overlays.values() if (each.pool, each.endpoint, each.kind) == (pool, endpoint, kind)]
        if not found:
            return False
        self._loop.overlay(lambda overlays, _: without(overlays, found[0]), self._keep)
        self._tell(found[0], _LIFTED[found[0].kind])
        self._health.refresh()
        return True

    def _tell(self, overlay: Overlay, text: str) -> None:
        kind: EventKind = "hold" if overlay.kind == "hold" else "operator"
        self._events.note(kind, text, pool=overlay.pool, endpoint=overlay.endpoint, reason="operator")

    def _known(self, pool: str, endpoint: str | None) -> None:
        pools = self._loop.effective.snapshot["pools"]
        if pool not in pools:
            raise Unknown(f'there is no pool "{pool}"', hint=suggest(pool, pools) or f"the pools are {', '.join(pools)}")
        ids = [each["id"] for each in pools[pool]["endpoints"]]
        if endpoint is not None and endpoint not in ids:
            hint = suggest(endpoint, ids) or f"its endpoints are {', '.join(ids) or 'none'}"
            raise Unknown(f'the pool "{pool}" has no endpoint "{endpoint}"', hint=hint)


def _because(note: Note) -> str:
    length = "" if note.seconds is None else f" for {format_duration(round(note.seconds, 3))}"
    return length + (f": {note.reason}" if note.reason else "")


_WORDS: Final = {
    "drain": "drained by an operator",
    "disable": "disabled by an operator",
    "weight": "given the weight {weight} by an operator",
    "hold": "held as it is by an operator",
}
_LIFTED: Final = {
    "drain": "no longer drained by an operator",
    "disable": "enabled by an operator",
    "weight": "given its declared weight again by an operator",
    "hold": "released by an operator",
}
