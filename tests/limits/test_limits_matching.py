"""Which limit is suspected behind an ending."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.http.signs import INTERMEDIARIES
from autogen_streamtrace.limits import KnownLimit, LimitMatcher, Observation, builtin, tolerance

pytestmark = pytest.mark.once

ATTRIBUTION = LimitMatcher(builtin())


def suspected(
    outcome: str = sc.DISCONNECTED,
    silence: float = 0.02,
    duration: float = 400.0,
    first: float | None = 0.5,
    status: int | None = 200,
    longest_gap: float = 0.0,
    **more: Any,
) -> str:
    seen = Observation(outcome, silence, duration, first, status, longest_gap=longest_gap)
    limit = ATTRIBUTION.suspect(seen._replace(**more))
    return "" if limit is None else f"{limit.id} {limit.value:g}"


@pytest.mark.parametrize(
    ("seconds", "intermediary", "limit"),
    [
        (60.02, "nginx", "nginx.proxy_read_timeout 60"),
        (120.1, "cloudflare", "cloudflare.proxy_read_timeout 120"),
        (100.1, "cloudflare", "cloudflare.proxy_read_timeout 100"),
        (300.3, "envoy", "envoy.stream_idle_timeout 300"),
        (55.8, "heroku_router", "heroku.idle_timeout 55"),
        (30.1, "aws_cloudfront", "aws_cloudfront.response_timeout 30"),
    ],
)
def test_a_silence_is_put_to_the_limit_of_what_the_headers_name(seconds: float, intermediary: str, limit: str) -> None:
    assert suspected(silence=seconds, intermediary=intermediary) == limit


@pytest.mark.parametrize(
    ("duration", "intermediary", "limit"),
    [
        (15.1, "envoy", "envoy.route_timeout 15"),
        (300.2, "google_front_end", "google_cloud_run.request_timeout 300"),
        (29.1, "aws_api_gateway", "aws_api_gateway.integration_timeout 29"),
    ],
)
def test_a_duration_is_put_to_the_limit_of_what_the_headers_name(
    duration: float, intermediary: str, limit: str
) -> None:
    assert suspected(duration=duration, intermediary=intermediary) == limit


@pytest.mark.parametrize(
    ("status", "intermediary", "seconds", "limit"),
    [
        (504, "nginx", 60.0, "nginx.proxy_read_timeout 60"),
        (524, "cloudflare", 120.0, "cloudflare.proxy_read_timeout 120"),
        (503, "heroku_router", 30.0, "heroku.first_byte_timeout 30"),
    ],
)
def test_a_status_is_put_to_the_limit_that_answers_with_it(
    status: int, intermediary: str, seconds: float, limit: str
) -> None:
    found = suspected(sc.REJECTED, seconds, seconds, first=None, status=status, intermediary=intermediary)
    assert found == limit


def test_a_status_that_no_limit_answers_with_is_put_to_none() -> None:
    assert not suspected(sc.REJECTED, 60.0, 60.0, first=None, status=401, intermediary="nginx")


def test_nginx_is_not_suspected_behind_a_response_without_its_header() -> None:
    assert suspected(silence=60.0) == "aws_alb.idle_timeout 60"


@pytest.mark.parametrize("seconds", [2.6, 20.0, 59.0, 63.0, 120.0, 240.0])
def test_what_the_headers_name_is_suspected_at_whatever_value(seconds: float) -> None:
    assert suspected(silence=seconds, intermediary="nginx") == f"nginx.proxy_read_timeout {seconds:g}"


def test_envoys_own_second_is_taken_off_its_value() -> None:
    assert suspected(silence=21.0, intermediary="envoy") == "envoy.stream_idle_timeout 20"


def test_who_is_named_goes_before_who_may_be_hidden_behind_it() -> None:
    assert suspected(silence=60.0, intermediary="cloudflare") == "cloudflare.proxy_read_timeout 60"


def test_a_silence_that_is_no_longer_than_earlier_gaps_is_put_to_no_value_of_its_own() -> None:
    assert not suspected(silence=2.6, longest_gap=2.0, intermediary="nginx")


def test_a_limit_that_the_stream_itself_has_borne_is_not_suspected() -> None:
    assert not suspected(silence=60.0, longest_gap=70.0, intermediary="nginx")


def test_a_vendor_without_a_limit_of_that_kind_is_not_suspected_of_it() -> None:
    assert not suspected(silence=0.02, duration=15.0, intermediary="nginx")


@pytest.mark.parametrize(("status", "limit"), [(504, "haproxy.timeout_server 5"), (503, "haproxy.timeout_queue 5")])
def test_a_refusal_tells_a_full_queue_from_a_slow_server(status: int, limit: str) -> None:
    assert suspected(sc.REJECTED, 5.0, 5.0, first=None, status=status, intermediary="haproxy") == limit


def test_without_a_response_the_commonest_limit_is_suspected() -> None:
    assert suspected(silence=60.0, duration=60.0, first=None, status=None) == "nginx.proxy_read_timeout 60"


def test_a_duration_alone_is_put_to_none_that_the_headers_do_not_name() -> None:
    assert not suspected(duration=30.0)


def test_the_value_of_some_installations_needs_a_header() -> None:
    assert not suspected(silence=100.0)


def test_a_timer_of_the_http_client_is_told_by_its_exception() -> None:
    assert suspected(sc.TIMEOUT, 5.0, 5.0, None, None, cause="httpx.ReadTimeout") == "http_client.read_timeout 5"


def test_a_cancellation_is_put_to_a_proxy_only_where_the_client_went_away() -> None:
    assert suspected(sc.CANCELLED, 60.0, status=None, cancelled_by="disconnect")
    assert not suspected(sc.CANCELLED, 60.0, status=None, cancelled_by="task")


@pytest.mark.parametrize("outcome", [sc.COMPLETED, sc.LENGTH, sc.FILTERED, sc.ABANDONED, sc.MALFORMED])
def test_an_ending_that_no_limit_makes_is_put_to_none(outcome: str) -> None:
    assert not suspected(outcome, 60.0, 60.0, intermediary="nginx")


def test_29_and_30_seconds_are_told_apart() -> None:
    longest = tolerance(ATTRIBUTION.by_id["aws_api_gateway.integration_timeout"], 29.0)[1]
    assert longest < 30.0


@pytest.mark.parametrize("silence", [59.0, 63.0])
def test_what_is_off_by_more_than_the_tolerance_is_put_to_none_that_nothing_names(silence: float) -> None:
    assert not suspected(silence=silence)


seconds = st.floats(0, 5000) | st.sampled_from([math.inf, math.nan, -1.0])


@given(
    st.builds(
        Observation,
        st.sampled_from(sc.OUTCOMES),
        seconds,
        seconds,
        st.none() | seconds,
        st.none() | st.integers(),
        st.sampled_from(["", *(name for name, _, _ in INTERMEDIARIES)]),
        st.text(),
        st.text(),
    )
)
def test_whatever_was_seen_the_answer_is_a_limit_of_the_catalogue_as_a_suspicion(seen: Observation) -> None:
    limit = ATTRIBUTION.suspect(seen)
    if limit is not None:
        assert limit.source == sc.SUSPECTED
        known: KnownLimit = ATTRIBUTION.by_id[limit.id]
        assert limit.value in known.values or known.intermediary in seen.named
