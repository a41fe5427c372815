"""What each look of `diagnose` recognises, and what looks alike and is something else."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from autogen_streamtrace.commands.diagnose.endings import Ending, Others
from autogen_streamtrace.commands.diagnose.findings import explain
from autogen_streamtrace.commands.diagnose.scene import Cause, Scene
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits import LimitMatcher, builtin

pytestmark = pytest.mark.once

HOST = "models.example"
KNOWN = LimitMatcher(builtin())
RANDOM = random.Random(7)


@pytest.fixture(autouse=True)
def _the_same_numbers() -> None:
    RANDOM.seed(7)


def causes(endings: Sequence[Ending], **beside: Any) -> list[Cause]:
    """What explains these, beside streams of the same host; the largest first."""
    others = Others(**beside)
    places = {each.place for each in endings}
    return sorted(explain(Scene(endings, dict.fromkeys(places, others), KNOWN)), key=lambda each: -len(each.members))


def cut(silence: float, duration: float, **more: Any) -> Ending:
    end = more.pop("end", RANDOM.uniform(0, 86_400))
    known = {"host": HOST, "status": 200, "first": min(0.5, duration), "longest_gap": 0.2, "cause": "httpx.ReadError"}
    return Ending(silence=silence, duration=duration, start=end - duration, end=end, **{**known, **more})


def refused(after: float, status: int, **more: Any) -> Ending:
    end = more.pop("end", RANDOM.uniform(0, 86_400))
    known = {"host": HOST, "outcome": sc.REJECTED, "status": status, "to_headers": after, "silence": 0.0}
    return Ending(duration=after, start=end - after, end=end, **{**known, **more})


def raced(**more: Any) -> Ending:
    known = {"status": None, "first": None, "cause": "httpx.RemoteProtocolError", "reused": True}
    return cut(0.04, 0.04, **{**known, **more})


def at_once(count: int = 30, at: float = 1000.0, **more: Any) -> list[Ending]:
    """Streams of any age that all ended at one moment."""
    return [cut(0.05, 1 + number * 0.7, end=at + 0.01 * (number % 5), **more) for number in range(count)]


def timed(seconds: float, count: int = 25, **more: Any) -> list[Ending]:
    """Streams that all ended after about so much silence."""
    return [cut(seconds + 0.01 * RANDOM.random(), seconds + 1 + number, **more) for number in range(count)]


# One moment of the clock.


def test_all_that_was_open_is_a_reload_where_new_requests_went_on() -> None:
    (cause,) = causes(at_once(intermediary="nginx"), lives=[(1000.2, 1003.0)])
    assert (cause.kind, cause.party) == ("moment", "nginx, or what stands next to it")
    assert "reloaded" in cause.title and "worker_shutdown_timeout" in cause.fix


def test_it_was_stopped_where_nobody_listened_afterwards() -> None:
    unreached = [
        cut(0.0, 0.01, status=None, first=None, cause="httpx.ConnectError", end=1000.2 + 0.1 * number)
        for number in range(8)
    ]
    (cause,) = causes([*at_once(intermediary="nginx"), *unreached], lives=[(1001.1, 1003.0)])
    assert cause.kind == "moment" and "stopped, killed or restarted" in cause.title and len(cause.members) == 38
    assert "nothing listened there for 1.1 s" in cause.evidence


def test_it_was_what_stands_behind_where_the_proxy_answers_with_its_own_errors() -> None:
    errors = [refused(0.002, 502, intermediary="nginx", page="nginx", end=1000.2 + 0.1 * number) for number in range(8)]
    (cause,) = causes([*at_once(intermediary="nginx"), *errors], lives=[(1001.1, 1003.0)])
    assert (cause.kind, cause.party) == ("moment", "what stands behind nginx")


def test_it_is_no_moment_where_others_that_were_open_went_on() -> None:
    lives = [(900.0 + number, 1100.0) for number in range(20)]
    assert [cause.kind for cause in causes(at_once(), lives=lives)] == ["other"]


def test_a_batch_that_started_together_and_ends_together_is_a_limit() -> None:
    together = [cut(0.05, 60.0 + 0.01 * (number % 5), end=1000 + 0.01 * (number % 5)) for number in range(30)]
    assert [(cause.kind, cause.seconds) for cause in causes(together)] == [("duration", 60.0)]


def test_streams_that_fell_silent_together_are_cut_by_silence() -> None:
    ages = [cut(30.0 + 0.01 * (number % 5), 31 + number, end=1000 + 0.01 * (number % 5)) for number in range(30)]
    assert [(cause.kind, cause.seconds) for cause in causes(ages)] == [("silence", 30.0)]


def test_a_timer_among_other_failures_of_a_burst_is_no_moment() -> None:
    ended = [1000 + 0.4 * number for number in range(10)]
    silent = [cut(2.7 + 0.002 * number, 3.2 + 0.2 * number, end=end) for number, end in enumerate(ended)]
    others = [cut(0.05, 0.5 + 0.1 * number, end=1000.5 + number) for number in range(4)]
    largest, *_ = causes([*silent, *others], lives=[(1000.2, 1003.0)])
    assert (largest.kind, largest.seconds, len(largest.members)) == ("silence", 2.7, 10)


def test_a_reload_that_ends_the_old_after_a_while_lets_the_new_live() -> None:
    since = [(998.8 + 0.1 * number, 1003.0) for number in range(12)]
    kept = [cut(0.04, 0.1, status=None, first=None, end=1000.01) for _ in range(4)]
    old = [cut(0.05, 1.5 + 0.2 * number, end=1000 + 0.01 * (number % 5)) for number in range(30)]
    (cause,) = causes([*old, *kept], lives=since)
    assert (cause.kind, len(cause.members)) == ("moment", 34)


# A kept connection.


def test_a_used_connection_that_is_closed_before_any_byte_was_kept_too_long() -> None:
    (cause,) = causes([raced(idle=4.96 + 0.001 * number) for number in range(25)])
    assert (cause.kind, cause.seconds, cause.sure, cause.party) == ("reuse", 5.0, "very likely", "")
    assert "keepalive_expiry" in cause.fix and "safe to send again" in cause.evidence[0]


def test_the_servers_own_header_says_how_long_it_keeps_one() -> None:
    (cause,) = causes([raced(keep_alive=5.0, upstream_server="node") for _ in range(6)])
    assert (cause.seconds, cause.setting) == (5.0, "keepAliveTimeout")


def test_a_fresh_connection_that_is_closed_at_once_is_something_else() -> None:
    assert [cause.kind for cause in causes([raced(reused=False) for _ in range(10)])] == ["other"]


# Refusals and queues.


def test_a_refusal_with_a_proxys_own_page_is_the_proxys() -> None:
    (cause,) = causes([refused(0.002, 503, page="nginx", intermediary="nginx") for _ in range(10)])
    assert (cause.kind, cause.party, cause.sure) == ("refused", "nginx", "very likely") and "limit_conn" in cause.fix


def test_an_error_that_the_model_sends_through_a_proxy_is_the_models() -> None:
    (cause,) = causes([refused(0.002, 503, intermediary="nginx") for _ in range(10)])
    assert cause.kind == "provider"


def test_a_refusal_that_comes_after_the_same_time_is_a_full_queue() -> None:
    (cause,) = causes([refused(1.5 + 0.01 * RANDOM.random(), 503, page="haproxy") for _ in range(25)])
    assert (cause.kind, cause.seconds, cause.party) == ("queue", 1.5, "HAProxy") and "maxconn" in cause.fix


def test_a_gateway_timeout_with_its_page_is_a_limit_of_the_first_byte() -> None:
    (cause,) = causes([refused(20.0 + 0.01 * RANDOM.random(), 504, page="haproxy") for _ in range(25)])
    assert (cause.kind, cause.seconds, cause.setting) == ("first_byte", 20.0, "timeout server")


# Buffering.


def test_a_read_timeout_is_the_paths_where_good_streams_come_in_one_piece() -> None:
    timer = {"limit": "http_client.read_timeout", "limit_source": sc.CONFIGURED, "limit_value": 3.0}
    unanswered = {"outcome": sc.TIMEOUT, "cause": "httpx.ReadTimeout", "status": None, "first": None}
    struck = [cut(3.0, 3.0, **unanswered, **timer) for _ in range(10)]
    assert [cause.kind for cause in causes(struck, pieces=10)] == ["buffering"]
    assert [cause.kind for cause in causes(struck, paced=10)] == ["deadline"]


# Timers as they strike.


def test_envoys_second_is_taken_off_over_http_1_and_not_over_http_2() -> None:
    first, second = (causes(timed(11.0, intermediary="envoy", http_version=each))[0] for each in ("1.1", "2"))
    assert (first.seconds, second.seconds) == (10.0, 11.0)


def test_envoys_second_makes_no_limit_of_silence() -> None:
    cuts = [cut(1.04, 16.0 + 0.02 * RANDOM.random(), intermediary="envoy") for _ in range(25)]
    (cause,) = causes(cuts)
    assert (cause.kind, cause.seconds, cause.limit) == ("duration", 15.0, "envoy.route_timeout")


def test_the_time_that_gunicorn_lets_a_response_go_on_is_taken_off() -> None:
    left = timed(13.0, layer=sc.SERVER, outcome=sc.CANCELLED, cancelled_by=sc.BY_TASK, grace=3.0, cause="")
    (cause,) = causes(left)
    assert (cause.kind, cause.seconds) == ("silence", 10.0)
    assert any("asgi_disconnect_grace_period" in each for each in cause.evidence)


def test_the_timeout_that_envoy_tells_with_each_request_is_certain() -> None:
    left = [
        cut(
            0.1,
            3.7 + 0.05 * RANDOM.random(),
            layer=sc.SERVER,
            outcome=sc.CANCELLED,
            cancelled_by="disconnect",
            expected_timeout=3.7,
        )
        for _ in range(10)
    ]
    (cause,) = causes(left)
    assert (cause.kind, cause.seconds, cause.party, cause.sure) == ("duration", 3.7, "Envoy", "certain")


def test_where_this_process_was_late_to_read_only_an_interval_is_told() -> None:
    late = [cut(3.0 - 0.01 * number, 5.0 + number, loop_late=0.5) for number in range(38)]
    cause = causes(late)[0]
    assert cause.between is not None and cause.between[0] <= 3.0 <= cause.between[1]
    assert any("event loop was late by up to 0.5 s" in each for each in cause.evidence)


def test_times_that_hardly_differ_are_told_although_this_process_was_late() -> None:
    (cause,) = causes(timed(5.0, loop_late=1.0))
    assert (cause.seconds, cause.between) == (5.0, None)


def test_who_shows_in_refusals_alone_is_named_for_cuts_of_the_same_host() -> None:
    refusals = [refused(20.0 + 0.01 * RANDOM.random(), 504, page="haproxy") for _ in range(10)]
    (cause,) = causes([*refusals, *timed(20.0)])
    assert (cause.limit, cause.seconds, len(cause.members)) == ("haproxy.timeout_server", 20.0, 35)


def test_users_who_give_up_after_the_same_time_are_told_with_it() -> None:
    left = [
        cut(0.1, 40.0 + 0.01 * RANDOM.random(), layer=sc.SERVER, outcome=sc.CANCELLED, cancelled_by="disconnect")
        for _ in range(20)
    ]
    (cause,) = causes(left)
    assert (cause.kind, cause.seconds, cause.party) == ("reader", 40.0, "the end user's side")
    assert not cause.limit and "between the end user and this program" in cause.title


def test_some_users_give_up_where_others_wait_longer() -> None:
    left = [
        cut(0.1, 3.3 + 0.01 * RANDOM.random(), layer=sc.SERVER, outcome=sc.CANCELLED, cancelled_by="disconnect")
        for _ in range(15)
    ]
    (cause,) = causes(left, durations=[4.0 + 0.1 * number for number in range(86)])
    assert (cause.kind, cause.seconds) == ("reader", 3.3)


# Both measures.


def alike(**more: Any) -> list[Ending]:
    """Streams that talk for a second, then fall silent for five: the silence and the duration fit as well."""
    return [cut(5.0 + 0.01 * RANDOM.random(), 6.0 + 0.01 * RANDOM.random(), **more) for _ in range(25)]


def test_where_silence_and_duration_fit_both_are_told_with_both_settings() -> None:
    (cause,) = causes(alike())
    assert (cause.kind, cause.seconds, cause.sure) == ("silence", 5.0, "possible") and cause.alternative is not None
    assert (cause.alternative.kind, cause.alternative.seconds) == ("duration", 6.0)
    assert "5 s after their last byte, or 6 s after their start: both fit" in cause.title
    assert "proxy_read_timeout" in cause.fix and "route timeout" in cause.fix


def test_the_settings_of_whom_is_named_are_both_told_where_both_fit() -> None:
    (cause,) = causes(alike(intermediary="caddy"))
    assert cause.alternative is not None and cause.alternative.limit == "caddy.write_timeout"
    assert "read_timeout" in cause.title and "servers timeouts write" in cause.title


@pytest.mark.parametrize(("named", "kind"), [("nginx", "silence"), ("google_front_end", "duration")])
def test_whom_is_named_decides_where_it_has_one_of_the_settings(named: str, kind: str) -> None:
    (cause,) = causes(alike(intermediary=named))
    assert (cause.kind, cause.alternative, cause.sure) == (kind, None, "very likely")


# What refutes a limit.


def test_a_limit_of_silence_below_what_good_streams_of_the_host_survived_is_none() -> None:
    (cause,) = causes([cut(5.0 + 0.01 * RANDOM.random(), 8.0 + number, survived=40.0) for number in range(25)])
    assert cause.kind == "other"


def test_a_body_that_was_ended_properly_although_nothing_said_that_it_was_whole_is_a_cut() -> None:
    ended = timed(5.0, outcome=sc.TRUNCATED, close_type="finished", within_event=True, cause="")
    (cause,) = causes(ended)
    assert (cause.kind, cause.seconds) == ("silence", 5.0)
    assert any("25 of 25 bodies were ended properly" in each and "inside an event" in each for each in cause.evidence)


# Errors of no particular time.


def test_an_error_page_of_a_proxys_own_is_not_the_models_error() -> None:
    (cause,) = causes([refused(3.0 + 7.1 * number, 502, page="nginx") for number in range(6)])
    assert (cause.kind, cause.sure) == ("other", "likely") and cause.title.startswith("nginx answers for")


def test_a_gateway_error_of_nobodys_is_not_certain() -> None:
    (cause,) = causes([refused(3.0 + 7.1 * number, 504) for number in range(6)])
    assert (cause.kind, cause.sure) == ("provider", "likely")
