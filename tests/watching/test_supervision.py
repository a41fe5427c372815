"""For which of its server's limits a process was killed, as far as its recorder can tell."""

import pytest

from autogen_streamtrace import audit
from autogen_streamtrace.core.watching.supervision import HEARTBEAT, Supervision, Timer, explains, process
from autogen_streamtrace.recorder import layout

GRACE = "gunicorn.graceful_timeout"
BEAT = Timer(HEARTBEAT, 30.0, since=100.0)


def pulse(*timers: Timer) -> bytes:
    return bytes(layout.PULSE_AT) + layout.pulse(131.0, 1, timers)


def explained(seen: float, *timers: Timer) -> str:
    limit = explains(timers, seen)
    return "" if limit is None else f"{limit.source} {limit.id} {limit.value:g}"


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (115.0, ""),
        (116.4, ""),  # a sign of life each half limit, looked for each second
        (117.0, f"suspected {HEARTBEAT} 30"),
        (129.4, f"suspected {HEARTBEAT} 30"),
        (129.6, f"configured {HEARTBEAT} 30"),
        (131.5, f"configured {HEARTBEAT} 30"),
        (140.0, ""),  # a supervisor that still watched would have killed it
    ],
)
def test_a_sign_of_life_that_is_overdue_is_a_suspicion_and_one_that_is_out_of_time_a_fact(
    seen: float, expected: str
) -> None:
    assert explained(seen, BEAT) == expected


@pytest.mark.parametrize(("seen", "expected"), [(120.0, ""), (131.0, f"configured {GRACE} 30")])
def test_a_shutdown_is_no_suspicion_before_its_grace_is_over(seen: float, expected: str) -> None:
    assert explained(seen, Timer(GRACE, 30.0, since=100.0)) == expected


def test_in_a_shutdown_it_is_the_grace_though_signs_of_life_stop_before() -> None:
    assert explained(133.0, BEAT, Timer(GRACE, 15.0, since=117.8)) == f"configured {GRACE} 15"


def test_a_shutdown_with_time_left_does_not_hide_that_signs_of_life_ran_out() -> None:
    assert explained(130.5, BEAT, Timer(GRACE, 15.0, since=117.8)) == f"configured {HEARTBEAT} 30"


def test_nothing_explains_a_process_that_nobody_supervises() -> None:
    assert explained(131.0) == ""


def test_a_limit_of_0_is_switched_off() -> None:
    supervision = Supervision()
    supervision.begins(Timer(HEARTBEAT, 0, since=1.0))
    assert supervision.timers == ()


def test_a_sign_of_life_begins_the_timer_anew() -> None:
    supervision = Supervision()
    supervision.begins(BEAT)
    supervision.begins(BEAT._replace(since=110.0))
    assert [timer.since for timer in supervision.timers] == [110.0]


def test_a_forked_child_is_not_supervised() -> None:
    supervision = Supervision()
    supervision.begins(BEAT)
    supervision.reset_after_fork()
    assert supervision.timers == ()


def test_a_grace_strikes_when_it_is_over() -> None:
    assert [Timer(GRACE, 5.0, since=10.0).struck(at) is not None for at in (14.9, 14.96, 16.0)] == [False, True, True]


def test_whole_seconds_are_told_as_every_other_number_of_seconds() -> None:
    limit, deadline = explains([Timer(GRACE, 5, since=10.0)], 15.0), Timer(GRACE, 5, since=10.0).struck(15.0)
    assert limit is not None and deadline is not None
    assert (type(limit.value), type(deadline.seconds)) == (float, float)


def test_the_recorder_keeps_the_timers() -> None:
    assert layout.read_timers(pulse(BEAT, Timer(GRACE, 5, since=1.5))) == (BEAT, Timer(GRACE, 5, since=1.5))


def test_a_pulse_without_timers_has_none() -> None:
    data = bytes(layout.PULSE_AT) + layout.pulse(131.0, 1)[:16]
    assert [layout.read_timers(each) for each in (data, data + bytes(100), pulse())] == [(), (), ()]


@pytest.mark.parametrize("at", [16, 20, 24, 40, -1])
def test_damaged_timers_are_none(at: int) -> None:
    data = bytearray(pulse(BEAT))
    data[at if at < 0 else layout.PULSE_AT + at] ^= 0xFF
    assert layout.read_timers(bytes(data)) == ()


@pytest.mark.once
def test_an_audit_shows_the_server_that_runs_the_process() -> None:
    from gunicorn.config import Config  # type: ignore[import-untyped]

    configuration = Config()
    configuration.set("timeout", 77)
    process.runs_under(configuration)
    found = {timeout.setting: (timeout.layer, timeout.seconds) for timeout in audit().timeouts}
    process.reset_after_fork()
    assert found["timeout"] == ("server", 77.0)
