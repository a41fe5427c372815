"""Which of the few defaults explains an ending."""

import pytest

from autogen_streamtrace.core.endings import Limit
from autogen_streamtrace.core.limits import Seen, suspect

NGINX = Limit("nginx.proxy_read_timeout", 60.0, "suspected")


def seen(outcome: str = "disconnected", silence: float = 60.0, intermediary: str = "nginx", **more: float) -> Seen:
    """An exchange that took 100 s, unless it says otherwise."""
    return Seen(outcome, silence, more.pop("duration", 100.0), intermediary=intermediary, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("silence", [59.6, 60.0, 61.2])
def test_a_silence_that_fits_what_stood_in_between_is_suspected(silence: float) -> None:
    assert suspect(seen(silence=silence)) == NGINX


@pytest.mark.parametrize("silence", [0.0, 59.0, 62.0, 120.0])
def test_a_silence_that_fits_no_limit_is_not(silence: float) -> None:
    assert suspect(seen(silence=silence)) is None


def test_without_a_name_for_what_stood_in_between_nothing_is_suspected() -> None:
    assert suspect(seen(intermediary="")) is None
    assert suspect(seen(intermediary="caddy")) is None


@pytest.mark.parametrize("outcome", ["completed", "timeout", "cancelled", "malformed"])
def test_what_a_proxy_does_not_do_is_not_its_limit(outcome: str) -> None:
    assert suspect(seen(outcome)) is None


def test_an_error_status_is_the_limits_own_or_none_of_it() -> None:
    assert suspect(seen("rejected", status=504)) == NGINX
    assert suspect(seen("rejected", status=429)) is None


def test_a_limit_of_the_duration_counts_that() -> None:
    assert suspect(seen(silence=3.0, duration=15.2, intermediary="envoy")) == Limit(
        "envoy.route_timeout", 15.0, "suspected"
    )
    assert suspect(seen(silence=15.2, duration=40.0, intermediary="envoy")) is None
