"""How a stream ended: the evidence, one ordered table of rules, a pure judge.

The first rule that fits decides. Whose verdict counts where several layers end together is ``attribution``'s.
"""

import functools
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.causes import Kind
from autogen_streamtrace.core.evidence.wire import ERROR
from autogen_streamtrace.core.stream.state import How
from autogen_streamtrace.core.verdict.limits import Limit

DONE_REASONS: Final = frozenset(
    {"stop", "end_turn", "stop_sequence", "tool_calls", "tool_use", "function_call", "function_calls", "pause_turn"}
)
LENGTH_REASONS: Final = frozenset({"length", "max_tokens", "model_context_window_exceeded"})
FILTER_REASONS: Final = frozenset({"content_filter", "refusal", "safety"})


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
    """An HTTP exchange under a model stream."""
    finish: str | None = None
    """The finish reason, in the provider's words; ``error`` where an error event came instead."""
    status: int | None = None
    """The HTTP status."""
    gone: bool = False
    """The end user's connection was found gone."""
    shutdown: bool = False
    """The server that runs it was shutting down, and no token says otherwise."""


FAILED_FINISH: Final = "failed finish reason"

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


def _model_said(reasons: frozenset[str]) -> Callable[[Evidence], bool]:
    return lambda e: e.layer == sc.MODEL and e.how == "returned" and _lower(e) in reasons


def _failed_finish(e: Evidence) -> bool:
    known = DONE_REASONS | LENGTH_REASONS | FILTER_REASONS
    return e.layer == sc.MODEL and e.how == "returned" and e.finish is not None and _lower(e) not in known


def _lower(e: Evidence) -> str | None:
    """Gemini's are in capitals."""
    return e.finish.lower() if e.finish is not None else None


def _provider_failed(e: Evidence) -> bool:
    """Its error was raised as one, or the client stumbled over it."""
    stumbled = e.kind in ("malformed", "other") and e.finish == ERROR
    return e.layer == sc.MODEL and (e.kind == "rejected" or stumbled)


def _breaker(e: Evidence) -> sc.EndedBy:
    return "agent" if e.layer == sc.SERVER else "upstream"


def _shut_down(e: Evidence) -> bool:
    """sse-starlette stops its streams without an exception; a WebSocket is closed with a message."""
    quietly = e.layer == sc.SERVER and (e.gone or _ended_silently(e))
    return e.shutdown and (e.kind == "cancelled" or quietly)


def _ended_silently(e: Evidence) -> bool:
    return e.how == "returned" and e.expects_terminator and not e.terminal and e.finish is None


RULES: Final[tuple[Rule, ...]] = (
    Rule("never read", lambda e: e.how == "unread", sc.NEVER_STARTED, _by("caller"), "caller"),
    Rule(
        "HTTP error status",
        lambda e: e.layer == sc.HTTP and e.status is not None and e.status >= 400,
        sc.REJECTED,
        _by("upstream"),
        "self",
    ),
    Rule("server shut down", _shut_down, sc.CANCELLED, _by("process"), "innermost"),
    Rule("end user gone, held up", lambda e: e.gone and e.held, sc.CANCELLED, _by(sc.END_USER), "caller"),
    Rule("end user gone", lambda e: e.gone, sc.CANCELLED, _by(sc.END_USER), "innermost"),
    Rule("left after its end", lambda e: e.how == "closed" and e.terminal, sc.COMPLETED, _finisher, "none"),
    Rule("thrown in by the reader", lambda e: e.thrown_in, sc.FAILED, _by("caller"), "none"),
    Rule("timer of the HTTP client", lambda e: e.kind == "timeout", sc.TIMEOUT, _by("http_client"), "self"),
    Rule("connection lost", lambda e: e.kind == "lost", sc.DISCONNECTED, _by("upstream"), "self"),
    Rule("error event", _provider_failed, sc.REJECTED, _by("upstream"), "none"),
    Rule(
        "unparsable event",
        lambda e: e.kind == "malformed" and e.layer in (sc.HTTP, sc.MODEL),
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
    Rule("token limit", _model_said(LENGTH_REASONS), sc.LENGTH, _by("model"), "none"),
    Rule("provider's filter", _model_said(FILTER_REASONS), sc.FILTERED, _by("model"), "none"),
    Rule(FAILED_FINISH, _failed_finish, sc.REJECTED, _by("upstream"), "none"),
    Rule("clean end, nothing finished", _ended_silently, sc.TRUNCATED, _breaker, "none"),
    Rule("ran to its end", lambda e: True, sc.COMPLETED, _finisher, "none"),
)


@functools.lru_cache(maxsize=1024)
def judge(evidence: Evidence) -> Rule:
    """The first rule of ``RULES`` that fits; the last fits always. Most streams end alike."""
    for rule in RULES[:-1]:
        if rule.fits(evidence):
            return rule
    return RULES[-1]


class Verdict(NamedTuple):
    """How one stream ended, as its span, its metrics and its events say it."""

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
    """What stood between this process and the server."""

    @property
    def early(self) -> bool:
        """Everything but ``completed``."""
        return self.outcome != sc.COMPLETED

    @property
    def fault(self) -> bool:
        """Somebody has something to mend: not a normal end, not the reader's or the end user's own choice."""
        if self.outcome in (sc.COMPLETED, sc.LENGTH, sc.FILTERED):
            return False
        return self.ended_by not in (sc.CALLER, sc.END_USER) or self.cancelled_by == sc.BY_DEADLINE

    @property
    def error_type(self) -> str:
        """``error.type``: the HTTP status where it explains the ending, else the cause, else the outcome."""
        return str(self.status) if self.status is not None else self.cause_type or self.outcome
