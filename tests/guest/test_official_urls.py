"""The official HTTP instrumentation parses no URL of a request anew, and its span is as it was."""

from typing import Any, cast

import httpx
import pytest
from opentelemetry.instrumentation import httpx as official
from programs.official import spans_of
from programs.watching import watching

pytestmark = pytest.mark.once

URLS = (
    "http://example.org",
    "HTTP://EXAMPLE.org:80/a/../b",
    "https://user:secret@example.org:8443/path?sig=1&q=a b#part",
    "http://bücher.example/ü/%zz/%C3%BC;x=1?q=%zz&q=ü",
    "http://[::1]:81/a%2Fb?",
    "http://a^b.example/",
    "//example.org/none",
)
ORIGINAL = official._extract_parameters


def asked(url: str) -> tuple[dict[str, Any], list[Any]]:
    """The attributes of the official span of one request, and what a hook of the program's is given of it."""
    given: list[Any] = []
    (span,) = spans_of(
        httpx.Request("POST", url),
        lambda request: httpx.Response(200),
        request_hook=lambda span, request: given.extend((request.method, request.url, request.headers)),
    )
    return dict(span.attributes or {}), given


@pytest.mark.parametrize("url", URLS)
def test_a_span_and_what_hooks_are_given_are_as_without_us(url: str) -> None:
    before = asked(url)
    with watching():
        assert asked(url) == before


def test_no_url_is_parsed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[object] = []

    class Url(httpx.URL):
        def __init__(self, url: Any, **changes: Any) -> None:
            if isinstance(url, str):
                parsed.append(url)
            super().__init__(url, **changes)

    monkeypatch.setattr("httpx.URL", Url)
    asked(URLS[0])
    assert parsed.pop() == URLS[0]
    with watching():
        asked(URLS[0])
    assert not parsed


def test_a_transport_that_is_given_no_request_is_as_without_us() -> None:
    """As those of httpx before 0.20."""
    args, module = (b"GET", (b"http", b"example.org", 80, b"/")), cast("Any", httpx)
    before = official._extract_parameters(args, {}, module)
    with watching():
        assert official._extract_parameters(args, {}, module) == before


def test_uninstrument_puts_the_original_back() -> None:
    with watching():
        assert official._extract_parameters is not ORIGINAL
    assert official._extract_parameters is ORIGINAL
