"""Orders to one pool, from the program that the gateway runs in."""

from collections.abc import Callable

from forebay.control.operator import Note, Operator


class Orders:
    """What an operator may order of the pool of this name."""

    def __init__(self, operator: Callable[[], Operator], name: str) -> None:
        self.name = name
        self._operator = operator

    def drain(self, endpoint: str, *, reason: str = "", for_: float | str | None = None) -> bool:
        """Send an endpoint nothing new, but of clients that are pinned to it; what runs there finishes.

        `endpoint` is its id or address, `for_` how long (seconds or a text such as `"10m"`; None: until `undrain`). Returns whether that
        changed anything; the same holds for the other orders.

        Raises:
            ForebayError: for one that there is not, or an address that means several.
        """
        return self._order("drain", endpoint, reason, for_)

    def undrain(self, endpoint: str) -> bool:
        """Take back a `drain`."""
        return self._order("undrain", endpoint)

    def disable(self, endpoint: str, *, reason: str = "", for_: float | str | None = None) -> bool:
        """Send an endpoint nothing at all, whoever asks."""
        return self._order("disable", endpoint, reason, for_)

    def enable(self, endpoint: str) -> bool:
        """Take back a `disable`."""
        return self._order("enable", endpoint)

    def weigh(self, endpoint: str, weight: int | None, *, reason: str = "", for_: float | str | None = None) -> bool:
        """Give an endpoint another weight than the declared one, which is None."""
        return self._order("weight", endpoint, reason, for_, weight)

    def fail_back(self) -> bool:
        """Go back to the first tier now, where another one serves."""
        return self._operator().pool("failback", self.name, Note())

    def hold(self, reason: str, *, for_: float | str | None = None) -> bool:
        """Freeze the statuses of its endpoints: nothing is ejected and nothing comes back by itself."""
        return self._operator().pool("hold", self.name, Note.of({"reason": reason, "for": for_}))

    def release(self) -> bool:
        """Take back a `hold`."""
        return self._operator().pool("release", self.name, Note())

    def _order(self, verb: str, text: str, reason: str = "", for_: float | str | None = None, weight: int | None = None) -> bool:
        operator = self._operator()
        return operator.endpoint(verb, self.name, operator.named(self.name, text), Note.of({"reason": reason, "for": for_}), weight)
