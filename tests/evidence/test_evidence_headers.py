"""What headers and refusal pages name: answers as real proxies sent them, and what a stranger may send."""

import json
import time
from pathlib import Path
from typing import Any, Final

import pytest

from autogen_streamtrace.core.evidence.http import headers, refusals

pytestmark = pytest.mark.once

ANSWERS: Final[list[dict[str, Any]]] = json.loads(Path(__file__).with_name("proxy_answers.json").read_text("utf-8"))
"""Captured on loopback: nginx 1.22, HAProxy 2.6, Apache 2.4, Caddy 2.6 and 2.11, Varnish 7.1, Squid 5.7,
lighttpd 1.4, Envoy 1.39, Node 20; ``a > b`` is a in front of b."""


def lines(head: list[str]) -> list[tuple[bytes, bytes]]:
    pairs = (line.encode("latin-1").partition(b": ") for line in head)
    return [(name, value) for name, _, value in pairs]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: f"{answer['through']}: {answer['when']}")
def test_an_answer_names_who_stands_in_between_who_answered_and_whose_refusal_it_is(answer: dict[str, Any]) -> None:
    status = int(answer["head"][0].split()[1])
    read = headers.of_response(lines(answer["head"][1:]))
    page = refusals.page(status, answer["body"].encode(), read.servers, read.own) if status >= 400 else ""
    assert list(read.intermediaries) == answer["intermediaries"]
    assert read.upstream_server == answer["upstream_server"]
    assert page == answer["page"]


@pytest.mark.parametrize(
    ("head", "intermediaries"),
    [
        (["cf-ray: 8f-FRA", "server: cloudflare", "x-envoy-upstream-service-time: 3"], ("cloudflare", "envoy")),
        (["Server: nginx", "Connection: keep-alive", "CF-RAY: 8f-FRA"], ("nginx", "cloudflare")),
        (["Via: 1.1 varnish, 1.1 1234.cloudfront.net (CloudFront)", "X-Amz-Cf-Id: x"], ("aws_cloudfront", "varnish")),
        (["Server: awselb/2.0"], ("aws_alb",)),
        (["server: istio-envoy"], ("envoy",)),
        (["Via: 1.1 google", "Server: nginx"], ("google_front_end", "nginx")),
        (["Server: openresty", "X-Kong-Proxy-Latency: 1", "Via: kong/3.4"], ("kong", "nginx")),
        (["Server: uvicorn", "X-Powered-By: Express"], ()),
    ],
    ids=str,
)
def test_what_is_not_installed_here_is_named_as_its_documentation_shows_it(
    head: list[str], intermediaries: tuple[str, ...]
) -> None:
    assert headers.of_response(lines(head)).intermediaries == intermediaries


@pytest.mark.parametrize(
    ("head", "kind", "encoding"),
    [
        (["Content-Type: Text/Event-Stream; charset=utf-8"], "Text/Event-Stream; charset=utf-8", ""),
        (["content-type: a", "Content-Encoding: gzip", "Content-Type: b", "content-encoding: br"], "a, b", "gzip, br"),
        ([f"Content-Type: {'x' * 300}"], "x" * 128, ""),
        (["Server: nginx"], "", ""),
    ],
    ids=lambda each: str(each)[:60],
)
def test_an_answer_says_what_body_follows(head: list[str], kind: str, encoding: str) -> None:
    read = headers.of_response(lines(head))
    assert (read.content_type, read.content_encoding) == (kind, encoding)


@pytest.mark.parametrize(
    ("head", "intermediaries", "seconds"),
    [
        (["x-forwarded-proto: http", "x-envoy-expected-rq-timeout-ms: 4200"], ("envoy",), 4.2),
        (["X-Forwarded-For: 127.0.0.1", "X-Varnish: 4"], ("varnish",), None),
        (["Via: 1.1 edge (squid/5.7)", 'Surrogate-Capability: edge="Surrogate/1.0"'], ("squid",), None),
        (["Via: 1.1 Caddy", "X-Forwarded-For: 127.0.0.1"], ("caddy",), None),
        (["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: a", "X-Forwarded-Server: b"], ("apache",), None),
        (["X-Forwarded-Server: b", "X-Forwarded-Port: 80", "X-Real-Ip: 127.0.0.1"], ("traefik",), None),
        (["X-Host: desk.example", "X-Forwarded-Host: desk.example"], ("lighttpd",), None),
        (["Via: 1.1 varnish, 1.1 edge (squid/5.7)"], ("squid", "varnish"), None),
        (["cf-ray: 1", "x-envoy-expected-rq-timeout-ms: 15000"], ("envoy", "cloudflare"), 15.0),
        (["X-Amzn-Trace-Id: Root=1"], ("aws_alb",), None),
        (["X-Forwarded-Scheme: https", "X-Scheme: https", "X-Real-IP: 127.0.0.1"], ("nginx",), None),
        (["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: a", "X-Forwarded-Proto: http"], (), None),
        (["x-envoy-expected-rq-timeout-ms: 0"], ("envoy",), None),
        (["x-envoy-expected-rq-timeout-ms: 1e999"], ("envoy",), None),
        (["user-agent: curl"], (), None),
    ],
    ids=str,
)
def test_a_request_names_who_sent_it_on(
    head: list[str], intermediaries: tuple[str, ...], seconds: float | None
) -> None:
    read = headers.of_request([(name.lower(), value) for name, value in lines(head)])
    assert read.intermediaries == intermediaries
    assert read.expected_timeout == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("timeout=5", 5.0), ("timeout=65, max=100", 65.0), ("max=3", None), ("timeout=-1", None), ("timeout=0", None)],
)
def test_keep_alive_says_how_long(value: str, seconds: float | None) -> None:
    assert headers.of_response([(b"Keep-Alive", value.encode())]).keep_alive == seconds


@pytest.mark.parametrize(
    "raw",
    [
        [(b"Via", b"1.1 varnish")] * 100_000,
        [(b"Via", b", ".join([b"1.1 varnish"] * 100_000))],
        [(b"Server", b"nginx " + b"x" * 65_536)],
        [(b"X-Request-Id", b"x" * 65_536)] * 50,
        [(b"\xff\x00", b"\xff" * 100)] * 1_000,
        [(b"Keep-Alive", b"timeout=" + b"9" * 65_536)],
    ],
    ids=["lines", "entries", "server", "ids", "bytes", "number"],
)
def test_what_a_stranger_sends_is_bounded(raw: list[tuple[bytes, bytes]]) -> None:
    began = time.thread_time()
    read = headers.of_response(raw)
    assert time.thread_time() - began < 0.5
    assert len(read.intermediaries) <= 1
    assert len(read.request_ids) <= 48
    assert all(len(value) <= 256 for _, value in read.request_ids)


@pytest.mark.parametrize(
    "body", [b"", b"Bad Gateway", b'{"error":{"message":"The model is overloaded"}}', b"\xff" * 512]
)
def test_a_refusal_that_is_nobodys_page_names_nobody(body: bytes) -> None:
    assert refusals.page(502, body, (), "") == ""
