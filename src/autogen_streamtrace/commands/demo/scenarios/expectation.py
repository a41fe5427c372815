"""What a scenario is, and the verdicts that it should have."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Final

from autogen_streamtrace.commands.demo.scenarios.program import READ_TIMEOUT, Program
from autogen_streamtrace.core import semconv
from autogen_streamtrace.core.semconv import Layer

OPENAI_MAJOR: Final = int(version("openai").split(".")[0])
HTTPX: Final = "httpx2" if OPENAI_MAJOR >= 3 else "httpx"
"""The HTTP library below the installed OpenAI client."""

HOST: Final = r"127\.0\.0\.1"

Value = str | float | bool
"""A pattern over the whole value as text (the empty one: absent), a number, or a truth."""


@dataclass(frozen=True)
class Says:
    """The expected verdict of one stream. A text is a pattern for the whole value; an empty text means absent."""

    layer: Layer
    outcome: str
    ended_by: str = semconv.MODEL
    waiting_on: str = semconv.NONE
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
        early = self.outcome != semconv.COMPLETED
        return {
            semconv.A_NAME: self.name,
            semconv.A_OUTCOME: self.outcome,
            semconv.A_ENDED_BY: self.ended_by,
            semconv.A_WAITING_ON_TYPE: self.waiting_on,
            semconv.A_WAITING_ON_NAME: self.waiting_on_name,
            semconv.A_CAUSE_TYPE: self.cause,
            semconv.A_LIMIT_ID: self.limit,
            semconv.A_CANCELLED_BY: self.cancelled_by,
            semconv.A_EARLY: early,
            **({semconv.A_ORIGIN: self.origin} if early else {}),
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
    """Layers whose streams vary, in number and in attributes, from run to run."""


TURN: Final[tuple[Layer, ...]] = (semconv.HTTP, semconv.MODEL, semconv.AGENT)
"""The layers of one agent's turn."""


def each(layers: tuple[Layer, ...], says: Says, origin: Layer | None = None) -> tuple[Says, ...]:
    """The same verdict in each of these layers, which arose in one of them."""
    return tuple(replace(says, layer=layer, origin=layer == origin) for layer in layers)


def done(layer: Layer, name: str = ".+", **more: Value) -> Says:
    ended_by = semconv.TOOL if layer == semconv.TOOL else semconv.MODEL
    return Says(layer, semconv.COMPLETED, ended_by, name=name, more=more)


def turns(count: int = 1) -> tuple[Says, ...]:
    """So many model streams that end well, in one turn of an agent."""
    return (done(semconv.HTTP), done(semconv.MODEL)) * count + (done(semconv.AGENT),)


def cut(outcome: str, waiting_on: str, cause: str = "", **more: Value) -> Says:
    """A stream that the provider, or anything between, cut."""
    on_host = HOST if waiting_on == semconv.HTTP else ".*"
    return Says(semconv.HTTP, outcome, semconv.UPSTREAM, waiting_on, on_host, cause, more=more)


TIMED_OUT: Final = Says(
    semconv.HTTP,
    semconv.TIMEOUT,
    semconv.HTTP_CLIENT,
    semconv.HTTP,
    HOST,
    cause=rf"{HTTPX}\.ReadTimeout",
    limit=r"http_client\.read_timeout",
    more={semconv.A_LIMIT_VALUE: READ_TIMEOUT, semconv.A_LIMIT_SOURCE: semconv.CONFIGURED},
)

LEFT: Final = Says(semconv.HTTP, semconv.ABANDONED, semconv.CALLER, semconv.CALLER, cause="GeneratorExit")

CANCELLED: Final = Says(
    semconv.HTTP,
    semconv.CANCELLED,
    semconv.CALLER,
    semconv.HTTP,
    HOST,
    cause=r"asyncio\.exceptions\.CancelledError",
    cancelled_by=semconv.BY_TASK,
)

IN_TIME: Final = replace(
    CANCELLED, cancelled_by=f"{semconv.BY_DEADLINE}|{semconv.BY_TASK}", limit=r"(asyncio\.(timeout|wait_for))?"
)
"""A deadline of the program struck; not every Python can distinguish it from another cancellation."""
