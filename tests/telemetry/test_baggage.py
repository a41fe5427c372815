"""Baggage entries that the operator names, on spans, events and metrics."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from harness import Program, Seen, read, watch
from opentelemetry import baggage
from opentelemetry.context import attach, detach


@contextmanager
def carrying(**entries: str) -> Iterator[None]:
    context = None
    for key, value in entries.items():
        context = baggage.set_baggage(key, value, context)
    token = attach(context) if context is not None else None
    try:
        yield
    finally:
        if token is not None:
            detach(token)


async def body(program: Program) -> None:
    with carrying(tenant="acme", secret_key="hidden"):
        await read(program.turn("fin"))


def everything(seen: Seen) -> list[dict[str, object]]:
    points = [point.attributes for points in seen.metrics[1].values() for point in points]
    return [stream.attributes for stream in seen.streams] + [event.attributes for event in seen.events] + points


def test_named_entries_go_on_every_span_and_event_and_on_no_metric() -> None:
    seen = watch(body, baggage=("tenant",))
    assert {stream["tenant"] for stream in seen.streams} == {"acme"}
    assert {event.attributes["tenant"] for event in seen.events} == {"acme"}
    assert not any("tenant" in point.attributes for points in seen.metrics[1].values() for point in points)


@pytest.mark.parametrize("options", [{}, {"baggage": ("tenant",)}])
def test_an_entry_that_was_not_named_is_recorded_nowhere(options: dict[str, Any]) -> None:
    assert not any("secret_key" in attributes for attributes in everything(watch(body, **options)))


@pytest.mark.parametrize(("allowed", "read_as"), [("acme", "acme"), ("other", "_OTHER")])
def test_on_metrics_only_listed_values_are_told(allowed: str, read_as: str) -> None:
    seen = watch(body, baggage={"tenant": [allowed]})
    for metric in ("started", "ended", "cut", "open"):
        assert {point.attributes["tenant"] for point in seen.points(metric)} == {read_as}


def test_a_stream_without_the_entry_has_none() -> None:
    async def plain(program: Program) -> None:
        await read(program.turn("ok"))

    assert not any("tenant" in attributes for attributes in everything(watch(plain, baggage=("tenant",))))
