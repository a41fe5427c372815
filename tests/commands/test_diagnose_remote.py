"""`diagnose` on a Loki's and a Prometheus' URL, each spoken for by a small server with its documented answers."""

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner
from dashboards.grammar import NEEDS_NODE, misspelt

from autogen_streamtrace.cli import app
from autogen_streamtrace.commands.reading import loki as loki_reading
from autogen_streamtrace.commands.reading import remote
from autogen_streamtrace.core import semconv as sc

pytestmark = pytest.mark.once

Answer = Callable[[str, dict[str, str]], Any]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """A server whose answers are JSON; what it has none for is 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
            body = answer(parts.path, asked)
            data = json.dumps(body).encode()
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(5)


def diagnosis(url: str, *more: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["diagnose", url, "--json", *more])
    assert result.exit_code == 1, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def entry(number: int, **attributes: object) -> dict[str, Any]:
    """One log line with its structured metadata, which Loki returns among the labels."""
    labels = {
        "service_name": "desk",
        "trace_id": f"{number + 1:032x}",
        "span_id": f"{number + 1:016x}",
        **{key.replace(".", "_"): str(value).lower() for key, value in attributes.items()},
    }
    return {"stream": labels, "values": [[str(1_790_000_000_000_000_000 + number), "a line"]]}


def loki(entries: list[dict[str, Any]], asked_for: list[dict[str, str]]) -> Answer:
    def answer(path: str, asked: dict[str, str]) -> Any:
        if path == "/loki/api/v1/labels":
            return {"status": "success", "data": []}
        if path != "/loki/api/v1/query_range":
            return None
        asked_for.append(asked)
        since = int(asked["start"])
        found = [each for each in entries if int(each["values"][0][0]) >= since][: int(asked["limit"])]
        return {"status": "success", "data": {"resultType": "streams", "result": found}}

    return answer


def ended(number: int, silence: float) -> dict[str, Any]:
    cut = {
        sc.A_LAYER: sc.HTTP,
        sc.A_NAME: "models.example",
        sc.A_OUTCOME: sc.DISCONNECTED,
        sc.A_ENDED_BY: sc.UPSTREAM,
        sc.A_EARLY: True,
        sc.A_ORIGIN: True,
        sc.A_OUTERMOST: False,
        sc.A_SILENCE: silence,
        sc.A_INTERMEDIARY: "nginx",
        sc.HTTP_STATUS: 200,
    }
    return entry(number, **cut)


def test_lokis_events_are_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loki_reading, "PAGE", 10)
    monkeypatch.setattr("time.time_ns", lambda: 1_790_000_000_000_001_000)
    random_ = random.Random(7)
    asked: list[dict[str, str]] = []
    with answering(loki([ended(number, 60 + random_.uniform(0, 0.2)) for number in range(25)], asked)) as url:
        found = diagnosis(url, "--since", "1h")
    (finding,) = found["findings"]
    assert (finding["limit"], finding["streams"], finding["sure"]) == ("nginx.proxy_read_timeout", 25, "very likely")
    assert len(asked) >= 3
    assert asked[0]["query"] == '{service_name=~".+"} | streamtrace_layer != ""'
    assert int(asked[0]["end"]) - int(asked[0]["start"]) == 3600 * 10**9


def test_a_selector_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_790_000_000_000_001_000)
    asked: list[dict[str, str]] = []
    with answering(loki([ended(0, 60.0)], asked)) as url:
        diagnosis(url, "--selector", '{service_name="desk"}')
    assert asked[0]["query"].startswith('{service_name="desk"} |')


@NEEDS_NODE
@pytest.mark.parametrize("selector", ["", '{service_name="desk"} |= "late"'])
def test_what_loki_is_asked_parses_with_grafanas_grammar(selector: str) -> None:
    asked: list[dict[str, str]] = []
    with answering(loki([], asked)) as url:
        remote.read(url, 3600.0, selector)
    assert len(asked) == 1 and not misspelt("logql", [asked[0]["query"]])


def vector(rows: list[tuple[dict[str, str], float]]) -> Any:
    result = [
        {"metric": {key.replace(".", "_"): value for key, value in labels.items()}, "value": [0, str(count)]}
        for labels, count in rows
    ]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def prometheus(path: str, asked: dict[str, str]) -> Any:
    if path != "/api/v1/query":
        return None
    query = asked["query"]
    http = {sc.A_LAYER: sc.HTTP, sc.A_OUTCOME: sc.DISCONNECTED}
    if "ended_total" in query:
        whole = {sc.A_LAYER: sc.AGENT, sc.A_NAME: "clerk", sc.A_OUTCOME: sc.COMPLETED, sc.A_OUTERMOST: "true"}
        return vector([(whole, 160), ({**whole, sc.A_OUTCOME: sc.DISCONNECTED}, 40)])
    if "cut_total" in query:
        return vector([({**http, sc.A_NAME: "models.example", sc.A_ENDED_BY: sc.UPSTREAM}, 40)])
    if "bucket" in query:
        edges = [("0.5", 4), ("1", 5), ("58.5", 8), ("61.5", 40), ("97", 40), ("+Inf", 40)]
        return vector([({**http, "le": edge}, count) for edge, count in edges])
    return vector([({}, 1)])


def test_prometheus_counts_tell_the_limit_whose_bucket_is_full() -> None:
    with answering(prometheus) as url:
        found = diagnosis(url)
    assert (found["turns"], found["lost"]) == (200, 40)
    first = found["findings"][0]
    assert (first["kind"], first["seconds"], first["streams"]) == ("silence", 60, 32)
    assert first["party"] == first["limit"] == "" and "nginx.proxy_read_timeout" in first["others"]


def test_counts_are_no_verdicts_on_what_chaos_has_cut() -> None:
    with answering(prometheus) as url:
        result = CliRunner().invoke(app, ["chaos", "--port", "0", "--verdicts", url])
    assert (result.exit_code, f"{url}: a Prometheus counts streams" in result.output) == (2, True), result.output


def test_a_server_that_is_neither_is_told() -> None:
    with answering(lambda path, asked: None) as url:
        result = CliRunner().invoke(app, ["diagnose", url])
    assert result.exit_code == 2 and "neither a Loki" in result.output


def test_a_server_that_is_not_there_is_told() -> None:
    result = CliRunner().invoke(app, ["diagnose", "http://127.0.0.1:9"])
    assert result.exit_code == 2 and "ConnectError" in result.output


@pytest.mark.parametrize(
    "arguments",
    [["/absent.jsonl"], ["--since", "soon", "http://x/"], ["http://x/", "file"], ["--limits", "/absent", "file"], []],
)
def test_wrong_use_ends_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["diagnose", *arguments]).exit_code == 2
