"""How a stream ended: the evidence, one ordered table of rules, a pure judge.

The first rule that fits decides. ``attribution`` decides whose verdict counts where several layers end together.
"""

import functools
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.body.finish_reasons import Meaning
from autogen_streamtrace.core.evidence.exception_kinds import Kind
from autogen_streamtrace.core.stream.state import How
from autogen_streamtrace.core.verdict.limits import Limit


class Evidence(NamedTuple):
    """What is known of one stream at its end."""

    layer: sc.Layer
    how: How
    kind: Kind | None = None
    """What the exception means, where one was raised."""
    held: bool = False
    """The reader held the last item, or had not asked for the first."""
    thrown_in: bool = False
    """The reader threw the exception in."""
    terminal: bool = False
    """The terminal item was delivered; on ``http``, a finish reason or terminator was read."""
    expects_terminator: bool = False
    """Its body says itself when it is complete: a model's streamed reply, a response to an end user."""
    of_model: bool = False
    """An HTTP exchange with a model's reply."""
    unseen: bool = False
    """An SDK's own stream, over an HTTP client that is not watched."""
    alone: bool = False
    """An HTTP exchange with a model's reply, and no model stream above."""
    finish: Meaning | None = None
    """What the finish reason means, where one came."""
    error: bool = False
    """The body says that the provider failed."""
    document: bool = False
    """The body is no event stream, where one was asked for."""
    empty: bool = False
    """The client delivered nothing of a reply whose body could be read."""
    terminated: bool = False
    """On ``model``: a finish reason or a terminator was read in the body."""
    inside: bool = False
    """A ``CancelledError`` that nobody above caused: neither the reader's task nor a token was being cancelled."""
    deadline: bool = False
    """A deadline or a token of the program's stopped it."""
    status: int | None = None
    """The HTTP status."""
    gone: bool = False
    """The end user's connection was found gone."""
    shutdown: bool = False
    """The server that runs it was shutting down, and no token says otherwise."""

    @property
    def speaks(self) -> bool:
        """What a model said of its reply is told here."""
        return self.layer == sc.MODEL or self.alone


REFUSED: Final = "HTTP error status"
FAILED_FINISH: Final = "failed finish reason"
ERROR_IN_REPLY: Final = "error in the reply"
NO_STREAM: Final = "no event stream"
CANCELLED_INSIDE: Final = "cancelled inside"
CLOSED_HERE: Final = "client closed in this process"

REPLIES: Final = frozenset({FAILED_FINISH, ERROR_IN_REPLY})
"""Rules of endings that a reply tells of itself, in an exchange that went well."""

UNUSABLE: Final[tuple[Kind, ...]] = ("malformed", "unusable")
"""What is raised over a reply that is not what was asked for."""

Waiting = Literal["self", "innermost", "caller", "none"]
"""self: this layer · innermost: the innermost open operation below · caller · none."""


class Rule(NamedTuple):
    """One row: where ``fits``, the stream ended as ``outcome``, by ``ended_by``, waiting on ``waiting``."""

    name: str
    fits: Callable[[Evidence], bool]
    outcome: sc.Outcome
    ended_by: Callable[[Evidence], sc.EndedBy]
    waiting: Waiting


def _by(who: sc.EndedBy) -> Callable[[Evidence], sc.EndedBy]:
    return lambda e: who


def _own_code(e: Evidence) -> sc.EndedBy:
    return "tool" if e.layer == sc.TOOL else "agent"


def _finisher(e: Evidence) -> sc.EndedBy:
    if e.layer == sc.HTTP:
        return "model" if e.of_model else "upstream"
    return e.layer if e.layer in (sc.MODEL, sc.TOOL) else "agent"


def _model_said(meaning: Meaning) -> Callable[[Evidence], bool]:
    """The finish reason says so, also where the client could not use what it ended."""
    return lambda e: e.speaks and e.finish == meaning and (_came(e) or e.kind in UNUSABLE)


def _came(e: Evidence) -> bool:
    """The end of the reply was delivered; its reader may have left after that."""
    return e.how == "returned" or (e.how == "closed" and e.terminal)


def _stumbled(e: Evidence) -> bool:
    """The client raised over what had arrived."""
    return e.kind in ("other", "late") or e.kind in UNUSABLE


def _provider_failed(e: Evidence) -> bool:
    """Its error was raised as one, or the client stumbled over it."""
    complained = _stumbled(e) or (e.how == "closed" and (e.terminal or e.layer == sc.HTTP))
    return e.speaks and (e.kind == "rejected" or (e.error and complained))


def _had_enough(e: Evidence) -> bool:
    """Nothing says how long the body should be, and nobody but its reader stopped it."""
    began = e.status is not None and not e.of_model
    return e.layer == sc.HTTP and began and e.kind in ("closed", "cancelled") and not (e.deadline or e.inside)


def _timer_fired(e: Evidence) -> bool:
    """Whatever comes out of a transport as late is a timer of the client's; elsewhere it may be anybody's."""
    return e.kind == "timeout" or (e.kind == "late" and (e.layer == sc.HTTP or e.unseen))


def _lost(e: Evidence) -> bool:
    """A bare error of a socket says so on the HTTP layer alone: elsewhere it may be any code's."""
    return e.kind == "lost" or (e.kind == "socket" and e.layer in (sc.HTTP, sc.MODEL))


def _closed_here(e: Evidence) -> bool:
    """Elsewhere it may be any connection, which any code has closed."""
    return e.kind == "closed here" and e.layer in (sc.HTTP, sc.MODEL)


def _breaker(e: Evidence) -> sc.EndedBy:
    return "agent" if e.layer == sc.SERVER else "upstream"


def _shut_down(e: Evidence) -> bool:
    """sse-starlette stops its streams without an exception; a WebSocket is closed with a message."""
    quietly = e.layer == sc.SERVER and (e.gone or _ended_silently(e))
    return e.shutdown and (e.kind == "cancelled" or quietly)


def _ended_silently(e: Evidence) -> bool:
    return e.how == "returned" and e.expects_terminator and not e.terminal and not e.error


RULES: Final[tuple[Rule, ...]] = (
    Rule("never read", lambda e: e.how == "unread", sc.NEVER_STARTED, _by("caller"), "caller"),
    Rule(
        REFUSED,
        lambda e: e.layer == sc.HTTP and e.status is not None and e.status >= 400,
        sc.REJECTED,
        _by("upstream"),
        "self",
    ),
    Rule("server shut down", _shut_down, sc.CANCELLED, _by("process"), "innermost"),
    Rule("end user gone, held up", lambda e: e.gone and e.held, sc.CANCELLED, _by(sc.END_USER), "caller"),
    Rule("end user gone", lambda e: e.gone, sc.CANCELLED, _by(sc.END_USER), "innermost"),
    Rule("reader had enough", _had_enough, sc.COMPLETED, _by("caller"), "none"),
    Rule("thrown in by the reader", lambda e: e.thrown_in, sc.FAILED, _by("caller"), "none"),
    Rule("timer of the HTTP client", _timer_fired, sc.TIMEOUT, _by("http_client"), "self"),
    Rule(CLOSED_HERE, _closed_here, sc.FAILED, _by("caller"), "self"),
    Rule("connection lost", _lost, sc.DISCONNECTED, _by("upstream"), "self"),
    Rule("error event", _provider_failed, sc.REJECTED, _by("upstream"), "none"),
    Rule("token limit", _model_said("length"), sc.LENGTH, _by("model"), "none"),
    Rule("provider's filter", _model_said("filtered"), sc.FILTERED, _by("model"), "none"),
    Rule(FAILED_FINISH, _model_said("failed"), sc.REJECTED, _by("upstream"), "none"),
    Rule("left after its end", lambda e: e.how == "closed" and e.terminal, sc.COMPLETED, _finisher, "none"),
    Rule(
        "unparsable event",
        lambda e: e.kind in UNUSABLE and e.layer in (sc.HTTP, sc.MODEL),
        sc.MALFORMED,
        _by("upstream"),
        "none",
    ),
    Rule(
        "hung up when idle",
        lambda e: e.layer == sc.SERVER and e.kind == "gone",
        sc.COMPLETED,
        _finisher,
        "none",
    ),
    Rule("end user gone, inside", lambda e: e.kind == "gone", sc.CANCELLED, _by(sc.END_USER), "none"),
    Rule(CANCELLED_INSIDE, lambda e: e.kind == "cancelled" and e.inside, sc.CANCELLED, _own_code, "none"),
    Rule("cancelled", lambda e: e.kind == "cancelled", sc.CANCELLED, _by("caller"), "innermost"),
    Rule("reader left", lambda e: e.how == "closed" and e.held, sc.ABANDONED, _by("caller"), "caller"),
    Rule(
        "closed while it waited",
        lambda e: e.how == "closed" or e.kind == "closed",
        sc.ABANDONED,
        _by("caller"),
        "innermost",
    ),
    Rule("own code", lambda e: e.how == "raised", sc.FAILED, _own_code, "none"),
    Rule(ERROR_IN_REPLY, lambda e: e.speaks and e.error, sc.REJECTED, _by("upstream"), "none"),
    Rule(
        NO_STREAM,
        lambda e: e.layer == sc.MODEL and e.document and e.empty,
        sc.MALFORMED,
        _by("upstream"),
        "none",
    ),
    Rule(
        "empty reply, nothing finished",
        lambda e: e.layer == sc.MODEL and e.empty and e.terminated and e.finish is None,
        sc.TRUNCATED,
        _by("upstream"),
        "none",
    ),
    Rule("clean end, nothing finished", _ended_silently, sc.TRUNCATED, _breaker, "none"),
    Rule("ran to its end", lambda e: True, sc.COMPLETED, _finisher, "none"),
)


@functools.lru_cache(maxsize=1024)
def judge(evidence: Evidence) -> Rule:
    """The first rule of ``RULES`` that fits; the last one always fits. Cached, since most streams end alike."""
    for rule in RULES[:-1]:
        if rule.fits(evidence):
            return rule
    return RULES[-1]


class Verdict(NamedTuple):
    """How one stream ended, as on its span, metrics and events."""

    outcome: sc.Outcome
    ended_by: sc.EndedBy
    waiting_on: sc.WaitingOn
    waiting_on_name: str
    rule: str
    """The name of the rule that judged it, here or in the layer where the ending arose."""
    origin: bool = True
    """The ending arose in this layer."""
    cause_type: str = ""
    cause_chain: tuple[str, ...] = ()
    cause_layer: sc.Layer | None = None
    status: int | None = None
    """The HTTP error status that explains it."""
    cancelled_by: sc.CancelledBy | None = None
    limit: Limit | None = None
    intermediary: str = ""
    """The nearest known intermediary between this process and the server."""

    @property
    def early(self) -> bool:
        """Everything but ``completed``."""
        return self.outcome != sc.COMPLETED

    @property
    def fault(self) -> bool:
        """It is neither a normal end, nor the reader's or the end user's own choice."""
        if self.outcome in (sc.COMPLETED, sc.LENGTH, sc.FILTERED):
            return False
        chosen = self.ended_by in (sc.CALLER, sc.END_USER) and self.rule != CLOSED_HERE
        return not chosen or self.cancelled_by == sc.BY_DEADLINE

    @property
    def error_type(self) -> str:
        """``error.type``: the HTTP status where it explains the ending, else the cause, else the outcome."""
        return str(self.status) if self.status is not None else self.cause_type or self.outcome
