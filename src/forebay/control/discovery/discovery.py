"""The endpoints and addresses of everything that changes by itself, kept current beside the requests."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import inf
from typing import Any, Final

from forebay.config.pools import Endpoint
from forebay.config.sources import Source, collected
from forebay.control.discovery import dns, system
from forebay.control.discovery.answers import Answer, Failed
from forebay.control.discovery.entry import Entry
from forebay.control.discovery.files import Files
from forebay.control.discovery.memory import Known, Memory
from forebay.types import Address

Submit = Callable[[Callable[[], None]], None]
"""Runs a function on a worker, some time."""

Ask = Callable[[Source], Answer[Any]]
"""Looks a name or a service up; may block for seconds, for it runs on a worker."""

_SAVE_EVERY: Final = 30.0


def ask(source: Source) -> Answer[Any]:
    """Look a name up as this machine does, a service in DNS."""
    if source.kind == "service":
        return dns.services(source.text, source.manner)
    address = Address.parse(source.text)
    return system.lookup(address.host, address.port, source.manner)


class Discovery:
    """All sources of a configuration, and the names among what they found. It is the `Observer` of the loop.

    Only `turn` changes what is in force, on control's thread: look-ups run on workers and files are watched on a thread, which leave
    their answers behind and call `wake`. `memory` is where the last good state is kept; None keeps none.
    """

    def __init__(
        self, submit: Submit, wake: Callable[[], None], clock: Callable[[], float], *, memory: Memory | None = None, ask: Ask = ask
    ) -> None:
        self._submit = submit
        self._wake = wake
        self._clock = clock
        self._ask = ask
        self._memory = memory
        self._known = memory.load() if memory is not None else {}
        self._declared: dict[str, Source] = {}
        self._entries: dict[str, Entry] = {}
        self._answers: deque[tuple[Entry, Answer[Any]]] = deque()
        self._doubts: deque[tuple[str, str]] = deque()
        self._saved: tuple[float, dict[str, tuple[Any, ...]]] = (-inf, {})
        self._saving = False
        self.files = Files(self._heard)

    def want(self, sources: Mapping[str, Source]) -> None:
        """Replace what is to be looked after; what stays keeps what is known of it."""
        self._declared = dict(sources)
        self._look_after()
        self.files.want(source.text for source in self._declared.values() if source.kind == "file")

    def resolved(self) -> dict[str, tuple[str, ...]]:
        """The addresses in force of each name, those on their way out included; empty while unknown."""
        return {key: entry.holding.in_force for key, entry in self._entries.items() if entry.source.kind == "name"}

    def lists(self) -> dict[str, tuple[Endpoint, ...]]:
        """The endpoints in force of each service and file, likewise."""
        return {key: entry.holding.in_force for key, entry in self._lists()}

    def errors(self) -> dict[str, str]:
        """Why a name, service or file has no fresh answer."""
        return {entry.source.text: entry.holding.error for entry in self._entries.values() if entry.holding.error is not None}

    def ages(self) -> dict[str, float]:
        """For each that is served without being confirmed by its last answer: seconds since it was."""
        now = self._clock()
        return {entry.source.text: entry.holding.age(now) for entry in self._entries.values() if entry.holding.state in {"stale", "held"}}

    def report(self) -> list[dict[str, Any]]:
        """All sources, for the status; see `Entry.report`."""
        now = self._clock()
        return [entry.report(now) for entry in list(self._entries.values())]

    def pending(self) -> set[str]:
        """What nothing at all is known of yet; a list too, while that holds for a name in it."""
        waiting = {key for key, entry in self._entries.items() if entry.holding.state == "waiting"}
        lists = ((key, entry.children(entry.holding.items)) for key, entry in self._lists())
        return waiting | {key for key, children in lists if not waiting.isdisjoint(child.key for child in children)}

    def doubt(self, pool: str, endpoint: str) -> None:
        """Look up at once what an endpoint came from, for it cannot be connected to. `endpoint` is its id or address; from any thread."""
        self._doubts.append((pool, endpoint))
        self._wake()

    def stop(self) -> None:
        """Watch no more, and keep what is known now."""
        self.files.stop()
        if self._memory is not None and self._entries:
            self._memory.save(self._to_keep(self._clock()))

    def turn(self, now: float) -> float:
        """Take in what was answered, ask what is due; returns when there will be more to do, or infinity."""
        self.files.start()  # here, since before the first turn there is nobody to wake
        while self._answers:
            entry, answer = self._answers.popleft()
            entry.take(answer, now)
        while self._doubts:
            self._doubt(*self._doubts.popleft(), now)
        self._look_after()
        for entry in self._entries.values():
            entry.holding.leave(now, ready=entry.source.kind == "name" or self._ready(entry))
            if now >= entry.holding.due and not entry.holding.asking:
                self._ask_for(entry, now)
        self._save(now)
        return min((entry.holding.next for entry in self._entries.values()), default=inf)

    def _lists(self) -> Iterator[tuple[str, Entry]]:
        return ((key, entry) for key, entry in self._entries.items() if entry.source.kind != "name")

    def _look_after(self) -> None:
        """Have an entry for all that is declared, and for the names in what was found."""
        old = self._entries
        declared = {key: self._entry(source, old) for key, source in self._declared.items()}
        children = [child for entry in declared.values() for child in entry.children(entry.holding.in_force)]
        wanted = collected([*self._declared.values(), *children])
        known = old | declared
        # Replaced at once, for the watcher of files reads it on its own thread.
        self._entries = {key: self._entry(source, known) for key, source in wanted.items()}

    def _entry(self, source: Source, old: Mapping[str, Entry]) -> Entry:
        entry = old.get(source.key)
        if entry is not None:
            entry.declare(source)
            return entry
        entry = Entry.of(source)
        known = self._known.pop(source.key, None)
        if known is not None and self._memory is not None:
            entry.remember(known.items, self._clock() - max(0.0, self._memory.wall() - known.at))
        if source.kind == "file" and (said := self.files.last(source.text)) is not None:
            self._answers.append((entry, said))  # watched for another pool already, so nobody will report it
        return entry

    def _ready(self, entry: Entry) -> bool:
        """Whether what a list names now can take over from what it named before: its names have been looked up."""
        items = entry.holding.items
        children = [self._entries[child.key].holding for child in entry.children(items)]
        alone = len(children) < len(items) or not items
        return all(child.state != "waiting" for child in children) and (alone or any(child.items for child in children))

    def _ask_for(self, entry: Entry, now: float) -> None:
        if entry.source.kind == "file":
            if entry.last is not None:
                entry.take(entry.last, now)
            return
        entry.holding.ask(now)
        self._submit(partial(self._run, entry, entry.source))

    def _run(self, entry: Entry, source: Source) -> None:
        try:
            answer = self._ask(source)
        except Exception as error:  # noqa: BLE001 - whatever a resolver stumbles over is an answer that it did not give
            answer = Failed(f"{type(error).__name__}: {error}")
        self._answers.append((entry, answer))
        self._wake()

    def _heard(self, file: str, answer: Answer[Endpoint]) -> None:
        for entry in list(self._entries.values()):
            if entry.source.kind == "file" and entry.source.text == file:
                self._answers.append((entry, answer))
        self._wake()

    def _doubt(self, pool: str, endpoint: str, now: float) -> None:
        named = {endpoint, *endpoint.rpartition("@")[::2]} - {""}  # ID@IP:PORT, where an id stands for several addresses
        doubted = {key for key, entry in self._entries.items() if entry.source.kind == "name" and entry.leads_to(pool, named)}
        for key, entry in self._entries.items():
            service = entry.source.kind == "service" and any(child.key in doubted for child in entry.children(entry.holding.items))
            if key in doubted or service:
                entry.holding.doubt(now)

    def _save(self, now: float) -> None:
        """Have a worker keep what is known, at once when that changed, else every half minute."""
        if self._memory is None or self._saving:
            return
        state = {key: entry.holding.items for key, entry in self._entries.items() if entry.holding.items}
        at, saved = self._saved
        if (state or saved) and (state != saved or now >= at + _SAVE_EVERY):
            self._saved, self._saving = (now, state), True
            self._submit(partial(self._keep, self._memory, self._to_keep(now)))

    def _keep(self, memory: Memory, known: Mapping[str, Known]) -> None:
        memory.save(known)
        self._saving = False
        self._wake()  # it may have changed meanwhile

    def _to_keep(self, now: float) -> dict[str, Known]:
        wall = self._memory.wall() if self._memory is not None else 0.0
        return {key: Known(entry.plain(), wall - entry.holding.age(now)) for key, entry in self._entries.items() if entry.holding.items}
