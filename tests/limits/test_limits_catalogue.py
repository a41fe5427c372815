"""The catalogue of limits: what ships, and what a user adds."""

from pathlib import Path

import gunicorn.config  # type: ignore[import-untyped]
import httpx
import openai
import pytest
import uvicorn

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.http.refusals import PAGES
from autogen_streamtrace.core.evidence.http.signs import INTERMEDIARIES, SERVERS
from autogen_streamtrace.limits import CatalogueError, KnownLimit, builtin, load
from autogen_streamtrace.limits.catalogue import TIMERS

pytestmark = pytest.mark.once

NAMED = {name for name, *_ in (*INTERMEDIARIES, *SERVERS, *PAGES)} | {"node"}
"""What the telemetry calls whom a header, a page, or a server's own name tell."""
OWN = """
[[limit]]
id = "gateway.idle"
vendor = "our gateway"
setting = "idle"
seconds = 42
counts = "silence"
outcomes = ["disconnected"]
fix = "idle: 600"
"""


def own(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "limits.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("limit", builtin(), ids=lambda limit: limit.id)
def test_a_limit_says_how_it_shows_what_to_change_and_where_its_vendor_says_so(limit: KnownLimit) -> None:
    assert limit.page.startswith("https://")
    assert limit.fix
    assert limit.outcomes or limit.status or limit.id == "uvicorn.ws_ping_timeout"
    assert limit.counts in TIMERS or not limit.typical


def test_an_id_stands_once() -> None:
    ids = [limit.id for limit in builtin()]
    assert len(ids) == len(set(ids))


def test_intermediaries_and_outcomes_are_those_of_the_telemetry() -> None:
    for limit in builtin():
        assert limit.intermediary in {"", *NAMED}, limit.id
        assert set(limit.outcomes) <= set(sc.OUTCOMES), limit.id


@pytest.mark.parametrize(
    "vendor",
    [
        "nginx",
        "Application Load Balancer",
        "API Gateway",
        "Cloudflare",
        "Envoy",
        "Istio",
        "HAProxy",
        "Traefik",
        "Caddy",
        "Azure Front Door",
        "Azure App Service",
        "Google Cloud Application",
        "Cloud Run",
        "Heroku",
        "Lambda",
        "Apache",
        "Varnish",
        "Squid",
        "lighttpd",
        "Node",
        "hypercorn",
        "granian",
        "daphne",
        "vLLM",
        "LiteLLM",
        "gunicorn",
        "uvicorn",
        "httpx",
        "openai",
        "aiohttp",
    ],
)
def test_a_vendor_is_there(vendor: str) -> None:
    assert any(vendor in limit.vendor for limit in builtin())


@pytest.mark.parametrize(
    ("limit", "default"),
    [
        ("gunicorn.timeout", gunicorn.config.Timeout.default),
        ("gunicorn.graceful_timeout", gunicorn.config.GracefulTimeout.default),
        ("uvicorn.timeout_graceful_shutdown", uvicorn.Config("app").timeout_graceful_shutdown),
        ("uvicorn.ws_ping_timeout", uvicorn.Config("app").ws_ping_timeout),
        ("uvicorn.timeout_keep_alive", uvicorn.Config("app").timeout_keep_alive),
        ("gunicorn.keepalive", gunicorn.config.Keepalive.default),
        ("http_client.read_timeout", httpx.Client().timeout.read),
        ("http_client.connect_timeout", httpx.Client().timeout.connect),
        ("http_client.write_timeout", httpx.Client().timeout.write),
        ("http_client.pool_timeout", httpx.Client().timeout.pool),
        ("openai.read_timeout", openai.DEFAULT_TIMEOUT.read),
    ],
)
def test_a_default_is_that_of_the_installed_package(limit: str, default: float | None) -> None:
    assert {known.id: known.seconds for known in builtin()}[limit] == default


def test_a_users_limit_comes_before_the_built_in_ones(tmp_path: Path) -> None:
    limits = load(own(tmp_path, OWN))
    assert limits[0].id == "gateway.idle" and limits[0].seconds == 42.0
    assert limits[1:] == builtin()


def test_a_users_limit_replaces_the_built_in_one_of_its_id(tmp_path: Path) -> None:
    limits = load(own(tmp_path, OWN.replace("gateway.idle", "nginx.proxy_read_timeout")))
    assert [limit.seconds for limit in limits if limit.id == "nginx.proxy_read_timeout"] == [42.0]


@pytest.mark.parametrize(
    ("line", "wrong", "told"),
    [
        ('counts = "silence"', 'counts = "bytes"', "'bytes' is not allowed; allowed: silence, first_byte, duration"),
        ("seconds = 42", 'seconds = "a minute"', "'a minute' is not allowed; allowed: a number of seconds"),
        ("seconds = 42", "seconds = -1", "-1 is not allowed; allowed: a number of seconds"),
        ("seconds = 42", "seconds = nan", "nan is not allowed; allowed: a number of seconds"),
        ("seconds = 42", "second = 42", "there is no key 'second'"),
        ('outcomes = ["disconnected"]', "outcomes = [1]", "a list of texts"),
        (
            "seconds = 42",
            "strikes = [1, 0]",
            "[1, 0] is not allowed; allowed: two numbers of seconds, the smaller first",
        ),
        ('fix = "idle: 600"', "", "'fix' is missing"),
    ],
)
def test_a_wrong_limit_is_told_with_its_file_its_id_and_what_is_allowed(
    tmp_path: Path, line: str, wrong: str, told: str
) -> None:
    file = own(tmp_path, OWN.replace(line, wrong))
    with pytest.raises(CatalogueError) as raised:
        load(file)
    assert str(file) in str(raised.value) and "'gateway.idle'" in str(raised.value) and told in str(raised.value)


@pytest.mark.parametrize("text", ["limit = 1", "[limit]\nid = 'x'", "no toml", ""])
def test_a_file_without_limits_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(CatalogueError, match=r"limits\.toml"):
        load(own(tmp_path, text))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="absent"):
        load(tmp_path / "absent")
