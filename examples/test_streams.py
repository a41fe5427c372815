"""The ten tests that every streaming service should have.

    pytest examples/test_streams.py                              # right.py: all pass
    STREAMTRACE_EXAMPLE=wrong pytest examples/test_streams.py    # wrong.py: all fail, and say why

For a service of your own, say in ``service`` and ``Service`` how it is started, and how it is asked. The name that
each test passes to ``ask`` is the mistake against which it guards, and the URL at which ``wrong.py`` makes it.
"""

import importlib
import os
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn

EXAMPLE = os.environ.get("STREAMTRACE_EXAMPLE", "right")


class Answer(NamedTuple):
    """What a user gets."""

    text: str
    headers: dict[str, str]

    @property
    def looks_whole(self) -> bool:
        """Whether its user takes it for a whole one."""
        return "event: error" not in self.text


class Service:
    """A running service."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, mistake: str) -> Answer:
        """Asks a question, and reads the answer to its end.

        Raises:
            IncompleteRead: the answer was cut, so that its user sees that it is not whole.
        """
        path = f"/{mistake}" if EXAMPLE == "wrong" else f"/ask?id={uuid.uuid4()}&question=Where+is+it"
        with urllib.request.urlopen(self.url + path, timeout=20) as response:  # not watched, as the user's is not
            return Answer(response.read().decode(), dict(response.headers))


@pytest.fixture
def streamtrace_settings() -> dict[str, Any]:
    return {"stall_after": 1.5}  # longer than a busy machine pauses


@pytest.fixture
def service(streams: Any, model_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The service in this process, so that its streams are seen here; the model is the test's."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    if EXAMPLE == "right":
        monkeypatch.setenv("MODEL_URL", model_server.url())
    app = importlib.import_module(EXAMPLE).app
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield Service(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
    server.should_exit = True
    thread.join(20)


def test_an_answer_completes(service: Service, streams: Any) -> None:
    service.ask("break")
    streams.assert_all_completed()


def test_every_turn_that_is_made_is_read(service: Service, streams: Any) -> None:
    service.ask("unread")
    assert [stream.outcome for stream in streams.of("agent")] == ["completed"]


def test_nothing_goes_on_after_the_answer(service: Service, streams: Any) -> None:
    service.ask("break")
    streams.assert_nothing_left_open()
    assert [stream for stream in streams.of("http") if stream.upstream_overrun] == []


def test_a_cut_reply_does_not_look_whole(service: Service, model_server: Any) -> None:
    model_server.suffer("fin after=3")
    assert not service.ask("swallowed").looks_whole


def test_a_pause_of_the_model_is_borne(service: Service, streams: Any, model_server: Any) -> None:
    model_server.suffer("stall seconds=1.5")
    assert service.ask("impatient").looks_whole
    streams.assert_all_completed()


def test_a_model_that_falls_silent_is_told_by_the_clients_own_timeout(
    service: Service, streams: Any, model_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if EXAMPLE == "right":
        monkeypatch.setattr(sys.modules["right"], "TIMEOUT", 1.0)
    model_server.suffer("stall")
    service.ask("deadline")
    assert [stream.outcome for stream in streams.of("http")] == ["timeout"]


def test_no_tool_is_waited_for_without_a_bound(service: Service, streams: Any) -> None:
    service.ask("unbounded")
    assert [stream for stream in streams.of("agent") if stream.waiting_on_type == "tool"] == []


def test_nothing_blocks_the_event_loop(service: Service, streams: Any) -> None:
    service.ask("blocking")
    streams.assert_nothing_blocked()


def test_two_users_at_once_both_get_an_answer(service: Service, streams: Any) -> None:
    with ThreadPoolExecutor() as users:
        answers = [users.submit(service.ask, "shared") for _ in range(2)]
    assert [answer.exception() for answer in answers] == [None, None]
    streams.assert_no_faults()


def test_what_stands_between_is_told_not_to_buffer(service: Service) -> None:
    answer = service.ask("silent")
    assert answer.headers.get("x-accel-buffering") == "no"
