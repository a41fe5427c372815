"""What a server's streams told of their ends, as an OTLP receiver got it."""

import contextlib
import os
import time
import urllib.request
import uuid
from typing import Any, Final

from otlp_receiver import OtlpReceiver, Received

from autogen_streamtrace.commands.chaos.model_server import ModelServer

from .processes import HOST, TESTS, Server

APP: Final = "programs.chats:app"
LAYERS: Final = ("server", "agent", "model", "http")
"""Of each of its streams."""
PREFIX: Final = "streamtrace."
ARRIVAL: Final = 40.0
"""Seconds until a span must have arrived."""


GONE: Final = ("cancelled", "end_user", "disconnect")
"""Outcome, who ended it, who cancelled it: the end user's connection went away."""
SHUT_DOWN: Final = ("cancelled", "process", "shutdown")
"""The same: the server shut down."""


def turn(*told: Any) -> dict[str, tuple[Any, Any, Any, Any]]:
    """All four layers of an agent's turn, cut so; the server layer is the origin."""
    return {layer: (*told, layer == "server") for layer in ("server", "agent", "model", "http")}


def variables(receiver: OtlpReceiver, model: ModelServer | Server, **more: str) -> dict[str, str]:
    """The environment of a server that exports at once to ``receiver`` and asks ``model``, or nginx in front of it."""
    path = os.pathsep.join(each for each in (str(TESTS), os.environ.get("PYTHONPATH", "")) if each)
    soon = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BLRP_SCHEDULE_DELAY": "100"}
    return {
        **os.environ,
        **soon,
        **receiver.env("http/protobuf"),
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "default",
        "MODEL_URL": f"http://{HOST}:{model.port}/FAULT/v1",
        **more,
    }


def stands_still(server: Server, name: str, seconds: float) -> None:
    """Waits until ``/flood`` of ``programs.chats`` has been held up for so long: its end user takes no more."""
    given, since = 0, time.monotonic()
    while not given or time.monotonic() - since < seconds:
        with urllib.request.urlopen(f"{server.url}/given/{name}") as response:
            now = int(response.read())
        if now != given:
            given, since = now, time.monotonic()
        time.sleep(0.02)


class Verdicts:
    """The spans of the streams of one request, found by the name of its agent."""

    def __init__(self, receiver: OtlpReceiver) -> None:
        self._receiver = receiver
        self.agent = f"a{uuid.uuid4().hex}"

    def __getitem__(self, layer: str) -> dict[str, Any]:
        """The attributes of a layer's span, without their prefix; waits for it."""
        self._receiver.wait_for(lambda _: self._spans(layer), ARRIVAL)
        (span,) = self._spans(layer)
        return {key.removeprefix(PREFIX): value for key, value in span.attributes.items()}

    def of(self, *layers: str) -> dict[str, tuple[Any, Any, Any, Any]]:
        """Outcome, who ended it, who cancelled it, and whether it is the origin, by layer."""
        keys = ("outcome", "ended_by", "cancelled_by", "origin")
        return {layer: tuple(self[layer].get(key) for key in keys) for layer in layers}  # type: ignore[misc]

    def of_turn(self, server: Server) -> dict[str, tuple[Any, Any, Any, Any]]:
        """The same of all four layers of an agent's turn in ``programs.chats``.

        A stream whose reader was cancelled while it held an item, and a body that its client does not close, are open
        until the garbage collection.
        """
        layers = ("server", "agent", "model", "http")
        give_up = time.monotonic() + ARRIVAL
        while not all(map(self._spans, layers)) and time.monotonic() < give_up:
            urllib.request.urlopen(f"{server.url}/collect").close()
            with contextlib.suppress(TimeoutError):
                self._receiver.wait_for(lambda _: all(map(self._spans, layers)), 0.5)
        return self.of(*layers)

    def span(self, layer: str) -> Any:
        """A layer's span; waits for it."""
        _ = self[layer]
        return self._spans(layer)[0].data

    def spans(self) -> list[Any]:
        """The trace's spans so far, whoever's they are."""
        return [each.data for each in self._trace()]

    def _spans(self, layer: str) -> list[Received[Any]]:
        return [each for each in self._trace() if each.attributes.get(PREFIX + "layer") == layer]

    def _trace(self) -> list[Received[Any]]:
        spans = self._receiver.spans()
        traces = {each.data.trace_id for each in spans if each.attributes.get(PREFIX + "name") == self.agent}
        return [each for each in spans if each.data.trace_id in traces]
