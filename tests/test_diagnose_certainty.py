"""How sure `diagnose` says it is, held against how often it is right."""

import os
from collections import Counter

import pytest
from mixtures import judged, mixture

from autogen_streamtrace.limits import LimitMatcher, builtin

pytestmark = pytest.mark.once

ALLOWED = {"certain": 0.0, "very likely": 1 / 50, "likely": 1 / 10}
"""Share of what is told with this certainty that may be wrong."""
MIXTURES = int(os.environ.get("STREAMTRACE_MIXTURES", "250"))
"""`nox -s certainty` takes ten thousand."""


def table(said: Counter[str], wrong: Counter[str]) -> str:
    """How often each certainty was given, and was wrong."""
    rows = [f"{'':14} {'told':>7} {'wrong':>6} {'share':>7} {'allowed':>8}"]
    for sure in (*ALLOWED, "possible", "too few to say"):
        share = wrong[sure] / said[sure] if said[sure] else 0.0
        allowed = f"{ALLOWED[sure]:8.1%}" if sure in ALLOWED else f"{'-':>8}"
        rows.append(f"{sure:14} {said[sure]:7} {wrong[sure]:6} {share:7.2%} {allowed}")
    return "\n".join(rows)


@pytest.mark.timeout(3600)
def test_a_certainty_is_as_good_as_its_word_over_mixtures_of_causes() -> None:
    known = LimitMatcher(builtin())
    said, wrong = Counter[str](), Counter[str]()
    told = []
    for seed in range(MIXTURES):
        for each in judged(mixture(seed), known):
            said[each.sure] += 1
            if each.wrong:
                wrong[each.sure] += 1
                told.append(f"{seed}: {each.sure}: {each.wrong}")
    print(f"\n{MIXTURES:,} mixtures\n{table(said, wrong)}")
    assert said["very likely"] + said["likely"] > MIXTURES / 2, "hardly anything is told"
    bad = [sure for sure, share in ALLOWED.items() if wrong[sure] > share * said[sure]]
    assert not bad, "\n".join(told[:40])
