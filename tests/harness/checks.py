"""What holds of every run: spans, metrics and events agree with the documented rules and with each other."""

import os
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any, Final

from autogen_streamtrace.core import semconv
from autogen_streamtrace.core.evidence import content

from .program import API_KEY, TASK
from .seen import PREFIX, Event, Point, Seen, Stream

SECRETS: Final = (TASK, API_KEY, "arrived", "working days", "overloaded", "backend", "secret")
"""Words of messages, of exceptions' texts, of keys and of queries."""

OURS: Final = ("streamtrace.", "gen_ai.", "error.")
CONTENTS: Final = (
    semconv.GEN_AI_SYSTEM_INSTRUCTIONS,
    semconv.GEN_AI_INPUT_MESSAGES,
    semconv.GEN_AI_OUTPUT_MESSAGES,
    semconv.GEN_AI_TOOL_DEFINITIONS,
    semconv.GEN_AI_TOOL_ARGUMENTS,
    semconv.GEN_AI_TOOL_RESULT,
    semconv.A_EXCEPTION_MESSAGE,
)
"""Attributes that carry contents, where they are asked for."""
NOBODYS_FAULT: Final = ("completed", "length", "filtered")
CUT_KEYS: Final = (
    *("layer", "name", "outcome", "ended_by", "waiting_on.type", "waiting_on.name", "cause.type", "limit.id"),
    "cancelled_by",
)
OWN_TRANSPORT: Final = "nobody.example"
"""The host that tests ask over transports of their own."""
CLOSED_HERE: Final = ("ReadError", "WriteError", "ClosedResourceError")
"""What an HTTP client raises where the program closed it under a stream."""
ENDED_KEYS: Final = ("layer", "name", "framework", "outcome", "ended_by", "fault", "origin", "outermost")
PER_LAYER: Final = {
    "model": "gen_ai.client.operation.duration",
    "tool": "gen_ai.execute_tool.duration",
    "agent": "gen_ai.invoke_agent.duration",
    "team": "gen_ai.invoke_workflow.duration",
}
ENCLOSED_BY: Final = {
    "http": {"model", "tool", "agent"},
    "model": {"agent", "team", "tool", "server"},
    "tool": {"agent", "tool"},
    "agent": {"team", "tool", "stream", "agent", "server"},
    "team": {"stream", "agent", "team", "tool", "server"},
    "stream": {"server"},
}
DOUBLES: Final = ("invoke_agent", "execute_tool", "chat ", "invoke_workflow")


def wrongs(seen: Seen, events: str, caller_endings: str, origins: int | None) -> list[str]:
    """What is wrong with a run, in sentences."""
    wrong = [*_leaks(seen), *_totals(seen)]
    if seen.spans or seen.unended:
        wrong += [*_spans(seen), *_attribution(seen, origins), *_attempts(seen), *_labels(seen), *_events(seen, events)]
        for stream in seen.streams:
            wrong += [f"{stream}: {each}" for each in (*_severity(stream, caller_endings), *_numbers(stream))]
            wrong += [f"{stream}: {each}" for each in _parents(seen, stream)]
    return wrong


def _totals(seen: Seen) -> Iterator[str]:
    """Metrics agree with each other, also where no span was recorded."""
    started, ended = seen.total("started"), seen.total("ended")
    if started != ended:
        yield f"started {started}, ended {ended}"
    for metric in ("started", "ended", "cut"):
        if any(point.value for point in seen.points(metric, 0)):
            yield f"{metric} is not 0 at its first collection"
    for point in seen.points("open"):
        if point.value != 0:
            yield f"open is {point.value} for {point.attributes}"
    early = [p for p in seen.points("ended") if p.attributes[PREFIX + "outcome"] != "completed"]
    origins = sum(p.value for p in early if p.attributes[PREFIX + "origin"])
    if origins != seen.total("cut"):
        yield f"cut is {seen.total('cut')}, origins of early endings are {origins}"
    unread = _unread(seen)
    if seen.total("duration") != ended - unread:
        yield f"{seen.total('duration')} durations for {ended} streams, {unread} of them unread"
    if seen.total("silence") != sum(p.value for p in early) - unread:
        yield f"{seen.total('silence')} silences"
    for layer, metric in PER_LAYER.items():
        count = sum(p.value for p in seen.metrics[1].get(metric, ()))
        streams = seen.total("ended", layer=layer) - _unread(seen, layer=layer)
        if count != streams:
            yield f"{metric} counts {count}, streams are {streams}"


def _never_open(stream: Stream) -> bool:
    """It was never read, nor had the call that began it sent anything."""
    return stream["outcome"] == "never_started" and stream["silence"] is None


def _unread(seen: Seen, **labels: str) -> float:
    """How many streams never opened. Those whose call was made were open, though nobody read them."""
    spans = [s for s in seen.streams if s.layer == labels.get("layer", s.layer)]
    opened: int = sum(s["outcome"] == "never_started" and not _never_open(s) for s in spans)
    total: float = seen.total("ended", outcome="never_started", **labels)
    return total - opened


def _spans(seen: Seen) -> Iterator[str]:
    if seen.unended:
        yield f"{seen.unended} spans have not ended"
    if len({span.context.span_id for span in seen.spans}) != len(seen.spans):
        yield "a span was exported twice"
    ours = {stream.id for stream in seen.streams}
    for span in seen.spans:
        if span.context.span_id not in ours and span.name.startswith(DOUBLES):
            yield f"{span.name} doubles one of ours"
        if span.events and span.context.span_id in ours:
            yield f"{span.name} has span events: {span.events}"


def _attribution(seen: Seen, expected: int | None) -> Iterator[str]:
    early = [s for s in seen.streams if s["early"]]
    origins = [s for s in early if s["origin"]]
    if expected is None:
        expected = 1 if early else 0
    if len(origins) != expected:
        yield f"origins are {origins}, expected {expected}"
    for stream in seen.streams:
        outermost = not seen.above(stream) and stream.layer != "http"
        if stream["outermost"] != outermost:
            yield f"{stream}: outermost is {stream['outermost']}"


def _labels(seen: Seen) -> Iterator[str]:
    """Each counter has the streams' own attributes, these and no others."""
    early = [s for s in seen.streams if s["early"] and s["origin"]]
    yield from _differ(
        "started", _have(seen, "started"), Counter(_key(s, ("layer", "name", "framework")) for s in seen.streams)
    )
    yield from _differ("ended", _have(seen, "ended"), Counter(_key(s, ENDED_KEYS) for s in seen.streams))
    yield from _differ("cut", _have(seen, "cut"), Counter(_key(s, CUT_KEYS) for s in early))
    read = [s for s in seen.streams if not _never_open(s)]
    yield from _differ("duration", _have(seen, "duration"), Counter(_key(s, ("layer", "outcome")) for s in read))
    lost = [s for s in read if s["early"]]
    outcome = ("layer", "outcome")
    yield from _differ("silence", _have(seen, "silence"), Counter(_key(s, outcome, streamed=False) for s in lost))
    for point in seen.points("cut"):
        same = {(s.span.context.trace_id, s.id) for s in early if _key(s, CUT_KEYS) == _frozen(point)}
        if not point.exemplars or not set(point.exemplars) <= same:
            yield f"exemplars of cut are {point.exemplars}, its origins are {same}"


def _have(seen: Seen, metric: str) -> "Counter[frozenset[Any]]":
    have: Counter[frozenset[Any]] = Counter()
    for point in seen.points(metric):
        have[_frozen(point)] += int(point.value)
    return have


def _frozen(point: Point) -> frozenset[Any]:
    """Without what the operator asked for beside ours."""
    return frozenset((key, value) for key, value in point.attributes.items() if key.startswith(OURS))


def _key(stream: Stream, keys: tuple[str, ...], streamed: bool = True) -> frozenset[Any]:
    found = {(PREFIX + key, stream[key]) for key in keys if stream[key] not in (None, "")}
    if stream.layer == "model" and streamed and keys is not CUT_KEYS:
        found.add(("gen_ai.request.stream", stream["gen_ai.request.stream"] is True))
    return frozenset(found)


def _differ(metric: str, have: "Counter[frozenset[Any]]", want: "Counter[frozenset[Any]]") -> Iterator[str]:
    if have != want:
        yield f"{metric} counts {dict(have - want)}, which the spans do not; the spans say {dict(want - have)}"


def _events(seen: Seen, mode: str) -> Iterator[str]:
    ends = {e.span_id: e for e in seen.events if e.name == PREFIX + "end"}
    starts = Counter(e.span_id for e in seen.events if e.name == PREFIX + "start")
    told = [s for s in seen.streams if mode == "all" or (mode == "turns" and (s["outermost"] or s["early"]))]
    begun = [s for s in seen.streams if mode == "all" or (mode == "turns" and s["outermost"])]
    if Counter(e.span_id for e in seen.events if e.name == PREFIX + "end") != Counter(s.id for s in told):
        yield f"end events are {[e.body for e in ends.values()]}, expected those of {told}"
    if starts != Counter(s.id for s in begun if not _never_open(s)):
        yield f"{starts.total()} start events, expected those of {begun}"
    for stream in told:
        if stream.id in ends:
            yield from (f"end event of {stream}: {each}" for each in _event(stream, ends[stream.id]))


def _event(stream: Stream, event: Event) -> Iterator[str]:
    severity = "ERROR" if stream["fault"] else "WARN" if stream["early"] else "INFO"
    if event.severity != severity:
        yield f"severity {event.severity}"
    if event.trace_id != stream.span.context.trace_id:
        yield "another trace"
    if not event.body or "\n" in event.body:
        yield f"no one-line sentence: {event.body!r}"
    for key, value in stream.attributes.items():
        if key.startswith((PREFIX, "error.type")) and event.attributes.get(key) != value:
            yield f"{key} is {event.attributes.get(key)!r}, the span's {value!r}"


def _severity(stream: Stream, caller_endings: str) -> Iterator[str]:
    told = stream.told
    theirs = told.ended_by in ("caller", "end_user")
    closed_here = told.outcome == "failed" and told.ended_by == "caller" and told.cause.endswith(CLOSED_HERE)
    fault = told.outcome not in NOBODYS_FAULT and (not theirs or told.cancelled_by == "deadline" or closed_here)
    error = fault or (told.early and theirs and caller_endings == "error")
    if told.early != (told.outcome != "completed"):
        yield f"early is {told.early}"
    if told.fault != fault:
        yield f"fault is {told.fault}"
    if told.status != ("ERROR" if error else "UNSET"):
        yield f"status is {told.status}"
    if bool(told.error_type) != error:
        yield f"error.type is {told.error_type!r}"
    if error and not told.error_type.isdigit() and told.error_type != (told.cause or told.outcome):
        yield f"error.type is {told.error_type!r}"
    if bool(stream.span.status.description) != error:
        yield f"status description is {stream.span.status.description!r}"


def _numbers(stream: Stream) -> Iterator[str]:
    if _never_open(stream):
        return
    longest = stream.seconds + 0.001
    keys = ("silence", "longest_gap", "caller_time", *(("longest_send",) if stream.layer == "server" else ()))
    for key in keys:
        if not isinstance(stream[key], float) or not 0 <= stream[key] <= longest:
            yield f"{key} is {stream[key]} of {stream.seconds} s"
    if not isinstance(stream["chunks"], int) or stream["chunks"] < 0:
        yield f"chunks is {stream['chunks']}"
    first = stream["time_to_first_chunk"]
    if (first is not None) != (stream["chunks"] > 0) or not 0 <= (first or 0) <= longest:
        yield f"time_to_first_chunk is {first} of {stream['chunks']} chunks"
    if stream.layer in ("http", "server") and not stream["bytes"] >= stream["chunks"]:
        yield f"bytes is {stream['bytes']}"
    overrun = stream["upstream_overrun"]
    if overrun is not None and not 0 < overrun <= longest:
        yield f"upstream_overrun is {overrun} of {stream.seconds} s"
    if (stream["terminator"] is None) != (stream.layer not in ("http", "model")):
        yield f"terminator is {stream['terminator']}"
    cause = stream["cause.type"]
    if (cause or stream.chain or stream["cause.layer"]) and not (cause in stream.chain and stream["cause.layer"]):
        yield f"cause is {cause}, {stream.chain}, {stream['cause.layer']}"


def _parents(seen: Seen, stream: Stream) -> Iterator[str]:
    """Each under the layer outside it: directly, but for the official HTTP span above the exchange."""
    parent = seen.parent(stream.span)
    if stream.layer == "http":
        scope = parent.instrumentation_scope if parent is not None else None
        if stream["name"] == OWN_TRANSPORT:
            return  # which no official instrumentation watches
        if parent is None or scope is None or not scope.name.startswith("opentelemetry.instrumentation.httpx"):
            yield f"its parent is {parent.name if parent is not None else None}, not the official HTTP span"
            return
        parent = seen.parent(parent)
    outer = ENCLOSED_BY.get(stream.layer, set())
    found = (parent.attributes or {}).get(PREFIX + "layer") if parent is not None else None
    if found not in outer and seen.above(stream):
        yield f"its parent is {parent.name if parent is not None else None}, not a span of {outer}"


def _attempts(seen: Seen) -> Iterator[str]:
    for model in seen.of("model"):
        below = [http for http in seen.of("http") if seen.above(http)[:1] == [model]]
        if model["attempts"] != len(below) and model["outcome"] != "never_started":
            yield f"{model}: attempts is {model['attempts']}, exchanges are {below}"
        if below and model["terminator"] is not below[-1]["terminator"]:
            yield f"{model}: terminator is {model['terminator']}, its exchange's {below[-1]['terminator']}"


def _leaks(seen: Seen) -> Iterator[str]:
    allowed = CONTENTS if content.capture(os.environ) != content.NOWHERE else ()
    texts = [f"{s.span.name} {s.span.status.description} {_without(allowed, s.attributes)}" for s in seen.streams]
    texts += [f"{e.body} {_without(allowed, e.attributes)}" for e in seen.events]
    texts += [f"{name} {point.attributes}" for name, points in seen.metrics[1].items() for point in points]
    for text in texts:
        yield from (f"{secret!r} leaks in {text}" for secret in SECRETS if secret in text)


def _without(keys: Collection[str], attributes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attributes.items() if key not in keys}
