"""The sentences that people read."""

import pytest

from autogen_streamtrace.core.telemetry.sentences import lasting

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "0 s"),
        (1.21e-05, "0 s"),
        (0.000574, "0.001 s"),
        (0.31349, "0.313 s"),
        (0.9996, "1 s"),
        (1.0349, "1.03 s"),
        (60.2, "60.2 s"),
        (999.4, "999 s"),
        (1234.5, "1234 s"),
        (86400.0, "86400 s"),
    ],
)
def test_a_time_is_told_to_the_millisecond_without_a_power_of_ten(seconds: float, told: str) -> None:
    assert lasting(seconds) == told
