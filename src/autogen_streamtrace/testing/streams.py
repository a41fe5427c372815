"""What was told of a test's streams, as turns with their layers, and assertions about them."""

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from autogen_streamtrace import applied
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.open_streams import OpenStream
from autogen_streamtrace.core.stream.state import clock
from autogen_streamtrace.core.telemetry import sentences
from autogen_streamtrace.core.telemetry.listeners import Heard, listen
from autogen_streamtrace.core.watching.loops import in_event_loop
from autogen_streamtrace.testing.providers import instrumented

PREFIX: Final = "streamtrace."
SETTLE: Final = 5.0
"""Seconds, at most, until what has ended is judged."""
LINGER: Final = 0.5
"""Seconds that an access waits for streams that are still open, such as a body that nobody closed."""


class Stream:
    """One stream that ended: ``stream.outcome``, ``stream.ended_by``, ``stream["limit.id"]``.

    Every attribute ``streamtrace.X`` is ``stream["X"]``, and ``stream.X`` with an underscore for each dot. Other
    attributes are written whole. An attribute that the stream does not have is None.
    """

    def __init__(self, heard: Heard, depth: int = 0) -> None:
        self.depth = depth
        """How many streams are around it."""
        self.layer = heard.info.layer
        self.name = heard.info.name
        self.attributes = dict(heard.attributes)
        self.sentence = _sentence(heard)
        """What the log event says."""

    def __getitem__(self, key: str) -> Any:
        return self.attributes.get(PREFIX + key, self.attributes.get(key))

    def __getattr__(self, name: str) -> Any:
        __tracebackhide__ = True
        if name.startswith("_"):
            raise AttributeError(name)
        found = {key: value for key, value in self.attributes.items() if _as_name(key) == name}
        return next(iter(found.values()), None) if found or name in _NAMES else self._unknown(name)

    def _unknown(self, name: str) -> Any:
        __tracebackhide__ = True
        raise AttributeError(f"a stream has no {name!r}; known are {', '.join(sorted(_NAMES))}")

    def __repr__(self) -> str:
        return f"<{self.sentence}>"


class Turn(Stream):
    """An outermost stream with the streams inside it.

    ``turn.http``, ``turn.model``, ``turn.tool``, ``turn.agent`` and so on are the only stream of that layer.
    """

    def __init__(self, heard: Heard, inside: list[Stream]) -> None:
        super().__init__(heard)
        self.streams: list[Stream] = [self, *inside]
        """All of its streams, the outermost first."""

    def of(self, layer: str) -> list[Stream]:
        """Its streams of a layer."""
        return [stream for stream in self.streams if stream.layer == layer]

    def __getattr__(self, name: str) -> Any:
        __tracebackhide__ = True
        if name not in sc.LAYERS:
            return super().__getattr__(name)
        found = self.of(name)
        if len(found) != 1:
            raise AssertionError(f"the turn has {len(found)} streams on the layer {name}, not one:\n{self}")
        return found[0]

    def __str__(self) -> str:
        return "\n".join(f"{'  ' * stream.depth}{stream.sentence}" for stream in self.streams)


class Streams:
    """Everything that was told during a test."""

    def __init__(self) -> None:
        self._heard: list[Heard] = []
        self._began = clock()

    @property
    def turns(self) -> list[Turn]:
        """The outermost streams that have ended, in the order in which they ended."""
        self.settle()
        return self._turns()

    @property
    def turn(self) -> Turn:
        """The only turn of this test."""
        __tracebackhide__ = True
        turns = self.turns
        if len(turns) != 1:
            raise AssertionError(f"{len(turns)} turns ended in this test, not one{self._instead()}")
        return turns[0]

    def of(self, layer: str) -> list[Stream]:
        """All streams of a layer, but for those that are outside every turn."""
        self.settle()
        return [Stream(heard) for heard in self._heard if heard.info.layer == layer and not _is_outside(heard)]

    @property
    def outside(self) -> list[Stream]:
        """The streams outside every turn, such as the answers to a test's own requests."""
        self.settle()
        return [Stream(heard) for heard in self._heard if _is_outside(heard)]

    def settle(self, linger: float = LINGER) -> None:
        """Waits until what has ended is judged.

        In a coroutine use ``await streams.settled()``: this method holds the event loop up.

        Args:
            linger: seconds, at most, that it waits for streams that are still open.
        """
        give_up = time.monotonic() + (linger if not in_event_loop() else 0.0)
        while True:
            gc.collect()  # it ends the streams to which nobody refers
            tracker = applied.tracker
            if tracker is not None:
                tracker.settle(SETTLE)
            if not self._open() or time.monotonic() > give_up:
                return
            time.sleep(0.01)

    async def settled(self, linger: float = SETTLE) -> "Streams":
        """Waits for the streams that are still open, while the event loop goes on."""
        give_up = time.monotonic() + linger
        while self._open() and time.monotonic() < give_up:
            gc.collect()
            await asyncio.sleep(0.01)
        self.settle(0.0)
        return self

    def assert_all_completed(self) -> None:
        """Fails where a turn, or a stream inside it, ended early. An HTTP exchange that a retry healed may."""
        __tracebackhide__ = True
        early = [turn for turn in self.turns if any(each.early for each in turn.streams if each.layer != sc.HTTP)]
        if early:
            raise AssertionError(f"{len(early)} of {len(self._turns())} turns ended early:\n{_listed(early)}")

    def assert_no_faults(self) -> None:
        """Fails where a stream ended by a fault; a user or a caller who leaves is none."""
        __tracebackhide__ = True
        faulty = [turn for turn in self.turns if any(stream.fault for stream in turn.streams)]
        if faulty:
            raise AssertionError(f"{len(faulty)} of {len(self._turns())} turns have a fault:\n{_listed(faulty)}")

    def assert_nothing_blocked(self) -> None:
        """Fails where something held the event loop of a stream that was waiting."""
        __tracebackhide__ = True
        blocked = [stream for turn in self.turns for stream in turn.streams if stream.stall_loop_blocked]
        if blocked:
            late = max(stream.loop_late or 0.0 for stream in blocked)
            listed = "\n".join(stream.sentence for stream in blocked)
            raise AssertionError(f"the event loop was blocked for {late:.3g} s, under:\n{listed}")

    def assert_nothing_left_open(self) -> None:
        """Fails where a stream that began in this test is still open."""
        __tracebackhide__ = True
        self.settle()
        left = self._open()
        if left:
            raise AssertionError(f"{len(left)} streams are still open:\n" + "\n".join(map(_open_line, left)))

    def __str__(self) -> str:
        self.settle(0.0)
        turns = "\n".join(map(str, self._turns()))
        left = "\n".join(map(_open_line, self._open()))
        return "\n".join(filter(None, (turns, left)))

    def hear(self, heard: Heard) -> None:
        """Takes a stream that ended."""
        self._heard.append(heard)

    def _instead(self) -> str:
        """What there is in place of the one turn."""
        told = str(self) or "\n".join(f"outside every turn: {_sentence(heard)}" for heard in self._heard)
        return f":\n{told}" if told else "; was a model asked, in this process, by a client that is watched?"

    def _turns(self) -> list[Turn]:
        heard = list(self._heard)
        inside: dict[int, list[Heard]] = {}
        for each in heard:
            inside.setdefault(id(each.parent) if each.parent is not None else 0, []).append(each)
        known = {id(each.state) for each in heard if each.state is not None}
        tops = [each for each in heard if each.parent is None or id(each.parent) not in known]
        turns = [Turn(each, _below(each, inside)) for each in tops]
        return [turn for turn in turns if turn.outermost]

    def _open(self) -> list[OpenStream]:
        """The streams that began in this test, and are open."""
        tracker = applied.tracker
        lasts = clock() - self._began
        return [] if tracker is None else [stream for stream in tracker.open_streams() if stream.age < lasts]


@contextmanager
def watched(**settings: Any) -> Iterator[Streams]:
    """Tells of every stream that ends within the context.

    Where ``instrument()`` was called before, it listens beside; else it instruments for as long as the context lasts.

    Args:
        settings: the keywords of ``instrument()``.
    """
    with instrumented(**settings):
        streams = Streams()
        stop = listen(streams.hear)
        try:
            yield streams
            streams.settle(0.0)
        finally:
            stop()


def _sentence(heard: Heard) -> str:
    return sentences.of_ending(heard.info, heard.attributes)


def _is_outside(heard: Heard) -> bool:
    """It is neither a turn nor inside one."""
    return heard.parent is None and not heard.attributes.get(sc.A_OUTERMOST)


def _below(top: Heard, inside: dict[int, list[Heard]], depth: int = 1) -> list[Stream]:
    """The streams inside a stream, each before those inside it."""
    if top.state is None:
        return []
    found: list[Stream] = []
    for each in inside.get(id(top.state), ()):
        found += [Stream(each, depth), *_below(each, inside, depth + 1)]
    return found


def _open_line(stream: OpenStream) -> str:
    return f"{stream.layer} {stream.name} is open for {stream.age:.3g} s, waiting on {stream.waiting_on}"


def _listed(turns: list[Turn]) -> str:
    return "\n".join(map(str, turns))


def _as_name(key: str) -> str:
    return key.removeprefix(PREFIX).replace(".", "_")


_NAMES: Final = frozenset(
    _as_name(value) for name, value in vars(sc).items() if name.startswith("A_") and isinstance(value, str)
)
"""What a stream may have."""
