"""What a scenario is, and what the instrument should say of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Final

from autogen_streamtrace.core import names
from autogen_streamtrace.core.names import Layer
from autogen_streamtrace.demo.scenarios.program import READ_TIMEOUT, Program

OPENAI_MAJOR: Final = int(version("openai").split(".")[0])
HTTPX: Final = "httpx2" if OPENAI_MAJOR >= 3 else "httpx"
"""The HTTP library below the installed OpenAI client."""

HOST: Final = r"127\.0\.0\.1"

Value = str | float | bool
"""A pattern over the whole value as text (the empty one: absent), a number, or a truth."""


@dataclass(frozen=True)
class Says:
    """What the instrument should say of one stream. Texts are patterns over the whole value; an empty one: absent."""

    layer: Layer
    outcome: str
    ended_by: str = names.MODEL
    waiting_on: str = names.NONE
    waiting_on_name: str = ".*"
    cause: str = ""
    limit: str = ""
    cancelled_by: str = ""
    origin: bool = False
    overrun: bool = False
    """The stream below went on after its reader had left."""
    name: str = ".+"
    more: Mapping[str, Value] = field(default_factory=dict)

    def attributes(self) -> dict[str, Value]:
        """The attributes that say so."""
        early = self.outcome != names.COMPLETED
        return {
            names.A_NAME: self.name,
            names.A_OUTCOME: self.outcome,
            names.A_ENDED_BY: self.ended_by,
            names.A_WAITING_ON_TYPE: self.waiting_on,
            names.A_WAITING_ON_NAME: self.waiting_on_name,
            names.A_CAUSE_TYPE: self.cause,
            names.A_LIMIT_ID: self.limit,
            names.A_CANCELLED_BY: self.cancelled_by,
            names.A_EARLY: early,
            **({names.A_ORIGIN: self.origin} if early else {}),
            **self.more,
        }


@dataclass(frozen=True)
class Scenario:
    """One way in which a stream ends."""

    name: str
    what: str
    """What was done to the stream."""
    run: Callable[[Program], Awaitable[object]]
    says: tuple[Says, ...]
    """In each layer, in the order in which its streams start."""
    raises: str = ""
    """Pattern over the full name of the exception that the program sees."""
    unjudged: frozenset[Layer] = frozenset()
    """Layers that get as far as they get: how many streams and what they say varies."""


TURN: Final[tuple[Layer, ...]] = (names.HTTP, names.MODEL, names.AGENT)
"""The layers of one agent's turn."""


def each(layers: tuple[Layer, ...], says: Says, origin: Layer | None = None) -> tuple[Says, ...]:
    """The same verdict in each of these layers, which arose in one of them."""
    return tuple(replace(says, layer=layer, origin=layer == origin) for layer in layers)


def done(layer: Layer, name: str = ".+", **more: Value) -> Says:
    ended_by = names.TOOL if layer == names.TOOL else names.MODEL
    return Says(layer, names.COMPLETED, ended_by, name=name, more=more)


def turns(count: int = 1) -> tuple[Says, ...]:
    """So many model streams that end well, in one turn of an agent."""
    return (done(names.HTTP), done(names.MODEL)) * count + (done(names.AGENT),)


def cut(outcome: str, waiting_on: str, cause: str = "", **more: Value) -> Says:
    """A stream that the provider, or anything between, cut."""
    on_host = HOST if waiting_on == names.HTTP else ".*"
    return Says(names.HTTP, outcome, names.UPSTREAM, waiting_on, on_host, cause, more=more)


TIMED_OUT: Final = Says(
    names.HTTP,
    names.TIMEOUT,
    names.HTTP_CLIENT,
    names.HTTP,
    HOST,
    cause=rf"{HTTPX}\.ReadTimeout",
    limit=r"http_client\.read_timeout",
    more={names.A_LIMIT_VALUE: READ_TIMEOUT, names.A_LIMIT_SOURCE: names.CONFIGURED},
)

LEFT: Final = Says(names.HTTP, names.ABANDONED, names.CALLER, names.CALLER, cause="GeneratorExit")

CANCELLED: Final = Says(
    names.HTTP,
    names.CANCELLED,
    names.CALLER,
    names.HTTP,
    HOST,
    cause=r"asyncio\.exceptions\.CancelledError",
    cancelled_by=names.BY_TASK,
)

IN_TIME: Final = replace(
    CANCELLED, cancelled_by=f"{names.BY_DEADLINE}|{names.BY_TASK}", limit=r"(asyncio\.(timeout|wait_for))?"
)
"""A deadline of the program's struck; not every Python tells it from another cancellation."""
