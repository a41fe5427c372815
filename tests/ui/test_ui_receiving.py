"""What is sent to the page's receivers: all of it is stored, or a clear error says why not, and nothing is lost."""

import gzip
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from opentelemetry.sdk.trace.export import SpanExportResult
from synthetic import Turn, cut, lines
from ui_process import FREE, Ui, ask, exporter, running, spans

from autogen_streamtrace.commands.ui.receiving.requests import MOST

pytestmark = pytest.mark.once

TURNS = "api/cuts?since=all"


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    with running(tmp_path_factory.mktemp("ui")) as started:
        yield started


def turns(ui: Ui) -> int:
    return int(ui.get(TURNS)["turns"])


def request(count: int = 1) -> bytes:
    """Turns that are not there yet, as OTLP JSON."""
    made = json.loads(next(lines([Turn()] * count)))
    unique = f"{random.getrandbits(64) | 1:016x}"
    for span in made["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        span["traceId"] = unique + span["traceId"][16:]
    return json.dumps(made).encode()


@pytest.mark.parametrize("how", ["grpc", "grpc+gzip", "http", "http+gzip"])
def test_what_the_sdks_exporter_has_sent_is_on_the_page(ui: Ui, how: str) -> None:
    before = turns(ui)
    sending = exporter(ui, how)
    assert sending.export(spans(7)) is SpanExportResult.SUCCESS
    assert turns(ui) == before + 7
    sending.shutdown()


def test_json_is_received_plain_and_packed(ui: Ui) -> None:
    before = turns(ui)
    assert ui.post("traces", request())[0] == 200
    assert ui.post("traces", gzip.compress(request()), content_encoding="gzip")[0] == 200
    assert ui.post("traces", zlib.compress(request()), content_encoding="deflate")[0] == 200
    assert turns(ui) == before + 3


def test_a_request_that_is_sent_twice_counts_once(ui: Ui) -> None:
    body, before = request(), turns(ui)
    assert [ui.post("traces", body)[0] for _ in range(2)] == [200, 200]
    assert turns(ui) == before + 1


BOMB = gzip.compress(gzip.compress(bytes(2**20)) + bytes(64 * 2**20))


@pytest.mark.parametrize(
    ("body", "headers", "status", "told"),
    [
        (b"hello", {}, 400, "no JSON"),
        (b"[]", {}, 400, "no OTLP"),
        (b'{"resourceSpans": 7}', {}, 400, "no OTLP: resourceSpans is no list"),
        (b"\xff\xff\xff", {"content_type": "application/x-protobuf"}, 400, "no protobuf of traces"),
        (b"<html>", {"content_type": "text/html"}, 415, "'text/html' is not OTLP"),
        (b"{}", {"content_encoding": "br"}, 415, "'br' is not known here"),
        (b"\x1f\x8b\x08torn", {"content_encoding": "gzip"}, 400, "cannot be unpacked"),
        (gzip.compress(b"{}" * 99)[:-9], {"content_encoding": "gzip"}, 400, "its end is missing"),
        (BOMB, {"content_encoding": "gzip"}, 413, "more than 16 MB"),
    ],
    ids=["text", "list", "shape", "protobuf", "html", "brotli", "torn", "cut", "bomb"],
)
def test_a_bad_request_gets_a_clear_error(ui: Ui, body: bytes, headers: dict[str, str], status: int, told: str) -> None:
    before = turns(ui)
    found, _, answer = ui.post("traces", body, **headers)
    assert found == status and told in answer.decode(errors="replace")
    assert turns(ui) == before and ui.post("traces", request())[0] == 200


def test_a_request_of_50_mb_is_refused_before_it_is_read(ui: Ui) -> None:
    host, _, port = ui.http.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        head = f"POST /v1/traces HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 50000000"
        connection.sendall(f"{head}\r\n\r\n".encode() + bytes(1000))
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert turns(ui) >= 0


def _grpc(ui: Ui, body: bytes, **options: Any) -> Any:
    with grpc.insecure_channel(ui.grpc) as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        try:
            return export(body, timeout=30, **options)
        except grpc.RpcError as error:
            return error.code(), error.details()


def test_a_bad_message_over_grpc_gets_a_clear_error(ui: Ui) -> None:
    code, told = _grpc(ui, b"\xff\xff\xff")
    assert code is grpc.StatusCode.INVALID_ARGUMENT and "no protobuf of traces" in told
    code, told = _grpc(ui, bytes(3 * MOST), compression=grpc.Compression.Gzip)
    assert code is grpc.StatusCode.INVALID_ARGUMENT and "more than 16 MB" in told
    code, _ = _grpc(ui, bytes(MOST + 1))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_bomb_is_not_unpacked(ui: Ui) -> None:
    before = _memory(ui)
    bomb = gzip.compress(bytes(200 * 2**20), 1)
    assert len(bomb) < MOST
    assert ui.post("traces", bomb, content_encoding="gzip")[0] == 413
    assert _grpc(ui, bytes(200 * 2**20), compression=grpc.Compression.Gzip)[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert _memory(ui) - before < 120 * 2**20


def _memory(ui: Ui) -> int:
    """Bytes, the most that it has had."""
    status = Path(f"/proc/{ui.process.pid}/status").read_text(encoding="utf-8")
    [line] = [each for each in status.splitlines() if each.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def test_a_span_without_usable_ids_is_counted_and_the_rest_is_stored(ui: Ui) -> None:
    made, before = json.loads(request(2)), turns(ui)
    found = made["resourceSpans"][0]["scopeSpans"][0]["spans"]
    found[0]["traceId"], found[1]["spanId"] = "zz", 7
    found.append("no span")
    status, _, answer = ui.post("traces", json.dumps(made).encode())
    assert status == 200 and json.loads(answer)["partialSuccess"]["rejectedSpans"] == "3"
    assert turns(ui) == before + 2


def test_a_taken_port_is_told_with_what_to_do(ui: Ui, tmp_path: Path) -> None:
    for option, address in (("--grpc-port", ui.grpc), ("--http-port", ui.http), ("--port", ui.page.rstrip("/"))):
        port = address.rpartition(":")[2]
        line = [sys.executable, "-m", "autogen_streamtrace", "ui", *FREE, "--store", str(tmp_path), option, port]
        done = subprocess.run(line, capture_output=True, text=True, timeout=40)
        assert done.returncode == 2 and f"127.0.0.1:{port}" in done.stderr and option in done.stderr
        assert "Traceback" not in done.stderr


def test_a_store_in_use_is_told_with_where_the_page_is(ui: Ui) -> None:
    line = [sys.executable, "-m", "autogen_streamtrace", "ui", *FREE, "--store", str(ui.folder)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=40)
    assert done.returncode == 2 and "is in use" in done.stderr and ui.page in done.stderr


def test_what_was_answered_with_success_survives_kill_9(tmp_path: Path) -> None:
    with running(tmp_path) as ui:
        assert ui.post("traces", request(20))[0] == 200
        ui.process.send_signal(signal.SIGKILL)
        ui.process.wait(20)
    with running(tmp_path) as again:
        assert turns(again) == 20
        again.end()


def test_a_full_disk_is_told_and_what_was_stored_is_safe(tmp_path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    with running(tmp_path, before=limit) as ui:
        assert ui.post("traces", request(5))[0] == 200
        stored = 5
        while (answer := ui.post("traces", request(80)))[0] == 200:
            stored += 80
        status, headers, body = answer
        assert status == 503 and headers["retry-after"] and "cannot be written" in body.decode()
        assert turns(ui) == stored
        assert "Make room" in ui.get("api/now")["trouble"][0]
        ui.end()
    with running(tmp_path) as again:
        assert turns(again) == stored


def test_the_files_are_the_users_alone(ui: Ui) -> None:
    assert ui.post("traces", request())[0] == 200
    assert {os.stat(each).st_mode & 0o777 for each in ui.folder.glob("streams*")} == {0o600}
    assert ui.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_another_name_than_loopbacks_is_refused(ui: Ui, host: str) -> None:
    for address in (f"{ui.page}api/now", f"{ui.page}", f"{ui.http}/v1/traces"):
        assert ask(address, headers={"host": host})[0] == 403


def test_the_page_answers_get_alone_and_with_strict_headers(ui: Ui) -> None:
    assert ask(f"{ui.page}api/now", b"x")[0] == 405
    status, headers, _ = ask(f"{ui.page}api/now", headers={"origin": "http://evil.example"})
    assert status == 200 and "access-control-allow-origin" not in headers
    assert "script-src 'self'" in headers["content-security-policy"] and "unsafe" not in str(headers)


def test_another_address_than_loopback_asks_for_the_token(tmp_path: Path) -> None:
    with running(tmp_path, "--host", "0.0.0.0") as ui:
        root, _, token = ui.page.partition("?token=")
        assert len(token) > 20
        assert ask(f"{root}api/now")[0] == 401 and ask(f"{root}?token=x")[0] == 401 and ask(root)[0] == 401
        status, headers, _ = ask(f"{root}?token={token}&service=desk")
        assert status == 303 and headers["location"] == "/?service=desk"
        cookie = headers["set-cookie"].partition(";")[0]
        assert "HttpOnly" in headers["set-cookie"] and "SameSite=strict" in headers["set-cookie"]
        assert ask(f"{root}api/now", headers={"cookie": cookie})[0] == 200
        assert ui.post("traces", request())[0] == 401
        assert ui.post("traces", request(), authorization=f"Bearer {token}")[0] == 200
        assert _grpc(ui, b"")[0] is grpc.StatusCode.UNAUTHENTICATED
        assert _grpc(ui, b"", metadata=[("authorization", f"Bearer {token}")]) is not None


def test_diagnose_reads_the_store_while_the_page_runs(tmp_path: Path) -> None:
    with running(tmp_path) as ui:
        cuts = [cut(60.0 + each / 100, intermediary="nginx", at=1000.0 * each) for each in range(12)]
        assert ui.post("traces", next(lines(cuts)).encode())[0] == 200
        line = [sys.executable, "-m", "autogen_streamtrace", "diagnose", "--store", str(ui.folder), "--json"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=40)
        told = json.loads(done.stdout)
        found = ui.until("api/causes?since=all", lambda answer: answer["findings"])["findings"]
    assert done.returncode == 1 and told["findings"][0]["limit"] == "nginx.proxy_read_timeout"
    assert [(each["title"], each["lost"]) for each in found] == [
        (each["title"], each["lost"]) for each in told["findings"]
    ]


def test_files_are_shown_without_touching_the_users_store(tmp_path: Path) -> None:
    source = tmp_path / "otlp.jsonl.gz"
    text = "\n".join([*lines([Turn(), cut(60.0), Turn()]), "no JSON"])
    source.write_bytes(gzip.compress(text.encode()))
    line = [sys.executable, "-m", "autogen_streamtrace", "ui", str(tmp_path / "none.jsonl"), *FREE]
    done = subprocess.run(line, capture_output=True, text=True, timeout=40)
    assert done.returncode == 2 and "none.jsonl" in done.stderr
    with running(tmp_path, str(source)) as ui:
        found = ui.until(TURNS, lambda answer: answer["turns"] == 3)
        assert found["lost"] == 1
