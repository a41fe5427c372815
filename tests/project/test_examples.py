"""The examples run as they stand, and the telemetry says of each wrong one what its README says."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from harness.nginx import nginx
from otlp_receiver import OtlpReceiver
from ports import free_port

from autogen_streamtrace.cli import app
from autogen_streamtrace.commands.chaos.model.reply import HALF, TEXT
from autogen_streamtrace.core import semconv as sc

EXAMPLES = Path(__file__).parents[2] / "examples"
TASK = "Where is my claim?"
COMPRESSING = "gzip on; gzip_types text/event-stream; gzip_proxied any;"
"""What nginx compresses it holds back until the end, unless it is told not to buffer."""
SOON = {
    "OTEL_BSP_SCHEDULE_DELAY": "100",
    "OTEL_BLRP_SCHEDULE_DELAY": "100",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
}

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as started:
        yield started


def serve(name: str, receiver: OtlpReceiver) -> Iterator[str]:
    """The example in a process of its own; its URL."""
    port = free_port()
    env = {**os.environ, **receiver.env("http/protobuf"), "PORT": str(port), **SOON}
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


class News:
    """What a layer's spans say that come from within the context on."""

    def __init__(self, receiver: OtlpReceiver, layer: str) -> None:
        self._receiver, self._layer = receiver, layer
        self._before: set[bytes] = set()

    def __enter__(self) -> "News":
        self._before = set(streams(self._receiver, self._layer))
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def wait(self, told: Callable[[dict[str, Any]], bool], count: int = 1) -> list[dict[str, Any]]:
        """The attributes of those that ``told`` fits, as soon as there are so many."""
        found: list[dict[str, Any]] = []

        def there(seen: OtlpReceiver) -> bool:
            new = [each for span, each in streams(seen, self._layer).items() if span not in self._before]
            found[:] = [attributes for attributes in new if told(attributes)]
            return len(found) >= count

        self._receiver.wait_for(there)
        return found


def ask(url: str, id_: str, **headers: str) -> list[tuple[str, str]]:
    """The answer to a question in which the id stands."""
    query = {"id": id_, "question": f"Where is {id_}?"}
    return events(httpx.get(f"{url}/ask", params=query, headers=headers, timeout=40).text)


def streams(receiver: OtlpReceiver, layer: str) -> dict[bytes, dict[str, Any]]:
    """The attributes of the layer's spans so far, by span id."""
    spans = [span for span in receiver.spans() if span.attributes.get(sc.A_LAYER) == layer]
    return {span.data.span_id: span.attributes for span in spans}


def test_the_answer_comes_whole_and_says_so(right: str) -> None:
    found = ask(right, "whole")
    assert found[-1][0] == "end" and len(found) > 2


def test_a_retry_gets_the_same_words_without_asking_the_model_again(right: str, receiver: OtlpReceiver) -> None:
    def asked(id_: str) -> int:
        """How often the model was asked this."""
        questions = [each[sc.GEN_AI_INPUT_MESSAGES] for each in streams(receiver, sc.MODEL).values()]
        return sum(f"Where is {id_}?" in each for each in questions)

    first = ask(right, "retried")
    assert ask(right, "retried") == first
    assert ask(right, "another")[-1][0] == "end"
    receiver.wait_for(lambda _: asked("another"))  # it is told after whatever was asked before it
    assert asked("retried") == 1


def test_a_client_that_comes_back_gets_the_rest(right: str) -> None:
    whole = ask(right, "rest")
    assert ask(right, "rest", **{"last-event-id": "2"}) == whole[2:]


def test_a_turn_whose_user_left_is_read_to_its_end(right: str) -> None:
    with httpx.stream("GET", f"{right}/ask", params={"id": "left", "question": "Where?"}, timeout=30) as response:
        next(response.iter_raw())
    found = ask(right, "left")
    assert found[-1][0] == "end"
    kept = httpx.get(f"{right}/answer", params={"id": "left"}).json()
    assert kept == {"text": "".join(data for _, data in found[:-1]), "state": "end"}


@pytest.mark.parametrize(
    ("name", "layer", "expected"),
    [
        ("unread", sc.AGENT, {sc.A_OUTCOME: sc.NEVER_STARTED}),
        (
            "unbounded",
            sc.AGENT,
            {sc.A_OUTCOME: sc.CANCELLED, sc.A_WAITING_ON_TYPE: "tool", sc.A_CANCELLED_BY: "deadline"},
        ),
        (
            "deadline",
            sc.HTTP,
            {sc.A_OUTCOME: sc.CANCELLED, sc.A_WAITING_ON_TYPE: "http", sc.A_CANCELLED_BY: "deadline"},
        ),
        ("impatient", sc.HTTP, {sc.A_OUTCOME: sc.TIMEOUT, sc.A_LIMIT_ID: "http_client.read_timeout"}),
    ],
)
def test_the_telemetry_tells_what_is_wrong(
    wrong: str, receiver: OtlpReceiver, name: str, layer: str, expected: dict[str, Any]
) -> None:
    with News(receiver, layer) as news, contextlib.suppress(httpx.RemoteProtocolError):  # it fails in mid-stream
        httpx.get(f"{wrong}/{name}", timeout=30)
    news.wait(lambda attributes: expected.items() <= attributes.items())


@pytest.mark.parametrize(("name", "outcome"), [("swallowed", sc.DISCONNECTED), ("unfinished", sc.TRUNCATED)])
def test_half_an_answer_looks_whole_to_its_user(wrong: str, receiver: OtlpReceiver, name: str, outcome: str) -> None:
    with News(receiver, sc.HTTP) as news:
        response = httpx.get(f"{wrong}/{name}", timeout=30)
    assert (response.status_code, response.text.split()) == (200, TEXT[:HALF])
    news.wait(lambda attributes: attributes[sc.A_OUTCOME] == outcome)


def test_a_model_writes_on_after_a_break(receiver: OtlpReceiver) -> None:
    serving = contextlib.contextmanager(serve)("wrong", receiver)
    with News(receiver, sc.AGENT) as agents, News(receiver, sc.HTTP) as exchanges, serving as url:
        assert httpx.get(f"{url}/break", timeout=30).text.split() == TEXT[:1]
        agents.wait(lambda attributes: attributes[sc.A_OUTCOME] == sc.ABANDONED)
    (abandoned,) = exchanges.wait(lambda attributes: attributes[sc.A_OUTCOME] == sc.ABANDONED)
    assert abandoned[sc.A_OVERRUN] > 0  # as long as until the next garbage collection


def test_a_tool_that_blocks_stops_another_users_words_and_is_named_by_its_line(
    wrong: str, receiver: OtlpReceiver
) -> None:
    longest, asked = 0.0, None
    with ThreadPoolExecutor() as threads, httpx.Client(timeout=40) as one, httpx.Client(timeout=40) as other:
        while asked is None or not asked.done():  # the words may all have come before the tool is called
            moments = [time.monotonic()]
            with one.stream("GET", f"{wrong}/shared") as response:
                for _ in response.iter_raw():
                    moments.append(time.monotonic())
                    asked = asked or threads.submit(other.get, f"{wrong}/blocking")
            moments.append(time.monotonic())
            longest = max(longest, *(later - sooner for sooner, later in pairwise(moments)))
        assert asked.result().status_code == 200
    assert longest > 0.9

    def stacks(seen: OtlpReceiver) -> list[str]:
        stalls = [log.attributes for log in seen.logs() if log.data.event_name == sc.E_STALL]
        return [stall.get(sc.STACK_TRACE, "") for stall in stalls if stall.get(sc.A_LOOP_BLOCKED)]

    lines = (EXAMPLES / "wrong.py").read_text(encoding="utf-8").splitlines()
    (blocking,) = [at for at, line in enumerate(lines, 1) if "time.sleep(" in line]
    where = f"wrong.py:{blocking} in look_up"
    receiver.wait_for(lambda seen: any(where in stack.partition("\n")[0] for stack in stacks(seen)))


def test_one_team_for_all_fails_the_second_of_two_at_once(wrong: str, receiver: OtlpReceiver) -> None:
    two = httpx.Client(timeout=40)  # made before: that takes long on a busy machine, and the first one's words do not
    with News(receiver, sc.TEAM) as news, two, two.stream("GET", f"{wrong}/shared") as first:
        words = first.iter_text()
        said = next(words)
        with pytest.raises(httpx.RemoteProtocolError):
            two.get(f"{wrong}/shared")
        said += "".join(words)
    assert said.split() == TEXT[:8]
    (failed,) = news.wait(lambda attributes: attributes[sc.A_OUTCOME] == sc.FAILED)
    assert failed[sc.A_CAUSE_TYPE] == "ValueError"


def test_one_team_for_all_tells_one_users_words_to_the_next(wrong: str, receiver: OtlpReceiver) -> None:
    with News(receiver, sc.MODEL) as news:
        for _ in range(2):
            httpx.get(f"{wrong}/shared", timeout=30)
    news.wait(lambda attributes: attributes[sc.GEN_AI_INPUT_MESSAGES].count(TASK) >= 2)


def port(url: str) -> int:
    return int(url.rpartition(":")[2])


def probed(*arguments: str) -> tuple[str, int]:
    """What ``autogen-streamtrace probe`` says, and its exit status."""
    result = CliRunner().invoke(app, ["probe", *arguments, "--json"])
    return json.loads(result.stdout)["verdict"], result.exit_code


def test_words_without_a_header_against_it_are_buffered_and_only_the_probe_shows_it(
    wrong: str, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    with News(receiver, sc.SERVER) as news, nginx(tmp_path, port(wrong), COMPRESSING) as url:
        verdict, status = probed(f"{wrong}/silent", "--via", f"{url}/silent")
    assert verdict.startswith("nginx buffers") and status == 1
    told = news.wait(lambda attributes: attributes.get(sc.A_FIRST_CHUNK, 0) > 1.4, 2)
    assert [attributes[sc.A_OUTCOME] for attributes in told] == [sc.COMPLETED] * 2


def test_a_silence_without_a_comment_line_is_cut_on_the_way(wrong: str, receiver: OtlpReceiver, tmp_path: Path) -> None:
    with News(receiver, sc.SERVER) as news, nginx(tmp_path, port(wrong), "proxy_read_timeout 300ms;") as url:
        verdict, status = probed(f"{wrong}/silent", "--via", f"{url}/silent")
    assert "The path does not hold: it is cut after 0 pieces" in verdict and status == 1
    news.wait(lambda attributes: attributes.get(sc.A_CANCELLED_BY) == "disconnect")


def test_the_same_nginx_does_not_buffer_what_forbids_it(right: str, tmp_path: Path) -> None:
    with nginx(tmp_path, port(right), COMPRESSING) as url:
        query = {"id": "unbuffered", "question": "Where?"}
        with httpx.stream("GET", f"{url}/ask", params=query, timeout=30) as response:
            arrivals = [time.monotonic() for _ in response.iter_raw()]
    assert arrivals[-1] - arrivals[0] > 0.3


def test_an_audit_lists_the_timeouts_of_one_of_its_agents() -> None:
    code = "from autogen_streamtrace.cli import main; main()"
    command = [sys.executable, "-c", code, "audit", "wrong.py:impatient", "--json"]
    env = {**os.environ, "OTEL_SDK_DISABLED": "true"}
    done = subprocess.run(command, cwd=EXAMPLES, env=env, capture_output=True, text=True, timeout=50)
    assert json.loads(done.stdout)["shortest"]["seconds"] == 0.5


def test_the_readme_names_every_way(wrong: str) -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in readme for name in httpx.get(f"{wrong}/").json())
