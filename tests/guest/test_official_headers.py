"""The official HTTP instrumentation normalises headers where it captures some, and there its span is as it was."""

from typing import Any

import httpx
import pytest
from opentelemetry.instrumentation import httpx as official
from programs.official import spans_of
from programs.watching import watching

from autogen_streamtrace import neighbours
from autogen_streamtrace.neighbours.opentelemetry import NORMALIZE_HEADERS

pytestmark = pytest.mark.once

CAPTURED = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_"
VARIABLES = {
    CAPTURED + "CLIENT_REQUEST": "X-Asked.*",
    CAPTURED + "CLIENT_RESPONSE": "x-told,set-cookie",
    CAPTURED + "SANITIZE_FIELDS": "set-cookie",
}
ORIGINAL = official._normalize_headers


@pytest.fixture
def normalized(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The headers that were normalised."""
    seen: list[Any] = []

    def normalize_headers(headers: Any, *module: Any) -> Any:
        seen.append(headers)
        return ORIGINAL(headers, *module)

    monkeypatch.setattr(official, "_normalize_headers", normalize_headers)
    return seen


def attributes() -> dict[str, Any]:
    """Those of the official span of one request."""
    asked = httpx.Request("GET", "http://example.org/", headers={"x-asked-for": "all", "other": "none"})
    answer = httpx.Response(200, headers=[("x-told", "a"), ("x-told", "b"), ("set-cookie", "secret")])
    (span,) = spans_of(asked, lambda request: answer)
    return dict(span.attributes or {})


def test_where_no_header_is_captured_none_is_normalized_and_the_span_is_the_same(normalized: list[Any]) -> None:
    before = attributes()
    assert len(normalized) == 2  # a request and a response
    with watching():
        assert attributes() == before
    assert len(normalized) == 2


def test_captured_headers_are_as_without_us(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    before = attributes()
    assert before["http.request.header.x_asked_for"] == ("all",)
    assert before["http.response.header.set_cookie"] == ("[REDACTED]",)
    with watching():
        assert attributes() == before


def test_headers_that_are_captured_from_now_on_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with watching():
        for name, value in VARIABLES.items():
            monkeypatch.setenv(name, value)
        assert attributes()["http.response.header.x_told"] == ("a", "b")


def test_uninstrument_puts_the_original_back() -> None:
    with watching():
        assert official._normalize_headers is not ORIGINAL
    assert official._normalize_headers is ORIGINAL


def test_without_the_name_one_warning_says_so_and_all_else_is_as_before(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(neighbours, "_said", set())
    monkeypatch.setattr(NORMALIZE_HEADERS, "attribute", "_normalize_headers_of_yore")
    before = attributes()
    with watching():
        assert attributes() == before
    (warning,) = [each.getMessage() for each in caplog.records if each.name.startswith("autogen_streamtrace")]
    version = neighbours.version(NORMALIZE_HEADERS.package)
    assert warning.startswith(
        f"opentelemetry-instrumentation-httpx {version} has no opentelemetry.instrumentation.httpx."
    )
    assert NORMALIZE_HEADERS.without in warning
