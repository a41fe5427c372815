"""The examples run as they stand, and the telemetry says of each wrong one what its README says."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from otlp_receiver import OtlpReceiver

from autogen_streamtrace.core import names as n

EXAMPLES = Path(__file__).parent.parent / "examples"

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as started:
        yield started


def serve(name: str, receiver: OtlpReceiver) -> Iterator[str]:
    """The example in a process of its own; its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, **receiver.env("http/protobuf"), "PORT": str(port), "OTEL_BSP_SCHEDULE_DELAY": "100"}
    process = subprocess.Popen([sys.executable, str(EXAMPLES / f"{name}.py")], env=env, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        give_up = time.monotonic() + 50
        while time.monotonic() < give_up:
            assert process.poll() is None, f"{name}.py has ended"
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{url}/answer", params={"id": "none"})
                break
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(40)


@pytest.fixture(scope="module")
def right(receiver: OtlpReceiver) -> Iterator[str]:
    yield from serve("right", receiver)


@pytest.fixture(scope="module")
def wrong(receiver: OtlpReceiver) -> Iterator[str]:
    yield from serve("wrong", receiver)


def events(text: str) -> list[tuple[str, str]]:
    """Event name and data of each server-sent event."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
        if fields or "event: end" in block:
            found.append((fields.get("event", ""), fields.get("data", "")))
    return found


def ask(url: str, id_: str, **headers: str) -> list[tuple[str, str]]:
    response = httpx.get(f"{url}/ask", params={"id": id_, "question": "Where is it?"}, headers=headers, timeout=30)
    return events(response.text)


def streams(receiver: OtlpReceiver, layer: str, *, first: bool = False) -> dict[bytes, dict[str, Any]]:
    """The attributes of the layer's spans so far, by span id; ``first`` waits until there are some."""
    if first:
        receiver.wait_for(lambda seen: streams(seen, layer))
    spans = [span for span in receiver.spans() if span.attributes.get(n.A_LAYER) == layer]
    return {span.data.span_id: span.attributes for span in spans}


def test_the_answer_comes_whole_and_says_so(right: str) -> None:
    found = ask(right, "whole")
    assert found[-1][0] == "end" and len(found) > 2


def test_a_retry_gets_the_same_words_without_asking_the_model_again(right: str, receiver: OtlpReceiver) -> None:
    first = ask(right, "retried")
    before = set(streams(receiver, n.MODEL, first=True))
    assert ask(right, "retried") == first
    assert ask(right, "another")[-1][0] == "end"
    receiver.wait_for(lambda seen: set(streams(seen, n.MODEL)) > before)
    assert len(set(streams(receiver, n.MODEL)) - before) == 1


def test_a_client_that_comes_back_gets_the_rest(right: str) -> None:
    whole = ask(right, "rest")
    assert ask(right, "rest", **{"last-event-id": "2"}) == whole[2:]


def test_a_turn_whose_user_left_is_read_to_its_end(right: str) -> None:
    with httpx.stream("GET", f"{right}/ask", params={"id": "left", "question": "Where?"}, timeout=30) as response:
        next(response.iter_raw())
    assert ask(right, "left")[-1][0] == "end"
    assert httpx.get(f"{right}/answer", params={"id": "left"}).json()["state"] == "end"


@pytest.mark.parametrize(
    ("name", "layer", "expected"),
    [
        ("break", n.AGENT, {n.A_OUTCOME: n.ABANDONED}),
        ("unread", n.AGENT, {n.A_OUTCOME: n.NEVER_STARTED}),
        ("blocking", n.AGENT, {n.A_OUTCOME: n.COMPLETED}),
        ("unbounded", n.AGENT, {n.A_OUTCOME: n.CANCELLED, n.A_WAITING_ON_TYPE: "tool"}),
        ("deadline", n.HTTP, {n.A_OUTCOME: n.CANCELLED, n.A_WAITING_ON_TYPE: "http"}),
        ("impatient", n.HTTP, {n.A_OUTCOME: n.TIMEOUT, n.A_LIMIT_ID: "http_client.read_timeout"}),
        ("swallowed", n.HTTP, {n.A_OUTCOME: n.DISCONNECTED}),
        ("unfinished", n.HTTP, {n.A_OUTCOME: n.TRUNCATED}),
        ("shared", n.AGENT, {n.A_OUTCOME: n.COMPLETED}),
        ("silent", n.AGENT, {n.A_OUTCOME: n.COMPLETED}),
    ],
)
def test_the_telemetry_tells_what_is_wrong(
    wrong: str, receiver: OtlpReceiver, name: str, layer: str, expected: dict[str, Any]
) -> None:
    before = set(streams(receiver, layer))
    with contextlib.suppress(httpx.RemoteProtocolError):  # the application fails in mid-stream
        httpx.get(f"{wrong}/{name}", timeout=30)

    def told(seen: OtlpReceiver) -> bool:
        new = [attributes for span, attributes in streams(seen, layer).items() if span not in before]
        return any(expected.items() <= attributes.items() for attributes in new)

    receiver.wait_for(told, timeout=20)


def test_the_readme_names_every_way(wrong: str) -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in readme for name in httpx.get(f"{wrong}/").json())
