"""How sure `diagnose` says it is, held against how often it is right."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mixtures import judged, mixture
from proxies.deployments import DEPLOYMENTS
from proxies.judging import judged as judged_deployment
from proxies.judging import said_of_stored

from autogen_streamtrace.limits import LimitMatcher, builtin

pytestmark = pytest.mark.once

ALLOWED = {"certain": 0.0, "very likely": 1 / 50, "likely": 1 / 10}
"""Share of what is told with this certainty that may be wrong."""
SILENT = 1 / 10
"""Share of the causes of a kind, each of twenty endings or more, that may stay untold."""
OF_ONE = 1 / 10
"""Share of what is told of one proxy's timers that may be wrong: among all causes each proxy counts for little."""
MIXTURES = int(os.environ.get("STREAMTRACE_MIXTURES", "400"))
"""`nox -s certainty` takes ten thousand."""


@dataclass
class Table:
    """How often each certainty was given, and was wrong; how many causes there were, and how many were not told."""

    said: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    timers: Counter[str] = field(default_factory=Counter)
    wrong_timers: Counter[str] = field(default_factory=Counter)
    there: Counter[str] = field(default_factory=Counter)
    silent: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, where: str, sure: str, wrong: str, timer: str = "") -> None:
        """Something that was told, of whose timer, and what is wrong with it."""
        self.said[sure] += 1
        if timer and sure in ALLOWED:
            self.timers[timer] += 1
            self.wrong_timers[timer] += bool(wrong)
        if wrong:
            self.wrong[sure] += 1
            self.faults.append(f"{where}: {sure}: {wrong}")

    def __str__(self) -> str:
        rows = [f"{'':14} {'told':>7} {'wrong':>6} {'share':>7} {'allowed':>8}"]
        for sure in (*ALLOWED, "possible", "too few to say"):
            allowed = f"{ALLOWED[sure]:8.1%}" if sure in ALLOWED else f"{'-':>8}"
            rows.append(f"{sure:14} {_row(self.said[sure], self.wrong[sure])} {allowed}")
        rows += ["", "timers of"]
        rows += [f"{who:14} {_row(n, self.wrong_timers[who])} {OF_ONE:8.1%}" for who, n in sorted(self.timers.items())]
        rows += ["", f"{'':14} {'there':>7} {'silent':>6} {'share':>7} {'allowed':>8}"]
        rows += [f"{kind:14} {_row(n, self.silent[kind])} {SILENT:8.1%}" for kind, n in sorted(self.there.items())]
        return "\n".join(rows)

    def beyond(self) -> list[str]:
        """What is wrong, or untold, more often than is allowed."""
        wrong = [sure for sure, share in ALLOWED.items() if self.wrong[sure] > share * self.said[sure]]
        wrong += [f"timers of {who}" for who, n in self.timers.items() if self.wrong_timers[who] > OF_ONE * n]
        return wrong + [f"{kind} untold" for kind, n in self.there.items() if self.silent[kind] > SILENT * n]


def _row(count: int, bad: int) -> str:
    return f"{count:7} {bad:6} {bad / count if count else 0:7.2%}"


@pytest.mark.timeout(3600)
def test_a_certainty_is_as_good_as_its_word_over_deployments_and_mixtures(tmp_path: Path) -> None:
    known, table = LimitMatcher(builtin()), Table()
    for deployment in DEPLOYMENTS:
        for finding, wrong in judged_deployment(deployment, said_of_stored(deployment, tmp_path)):
            table.add(deployment.name, finding.sure, wrong)
    real = table.said.total()
    for seed in range(MIXTURES):
        told = judged(mixture(seed), known)
        table.there += told.there
        table.silent += told.silent
        for each in told.said:
            table.add(f"mixture {seed}", each.sure, each.wrong, each.timer)
    print(f"\n{real} findings of {len(DEPLOYMENTS)} deployments, and {MIXTURES:,} mixtures\n{table}")
    assert not table.beyond(), "\n".join([*table.beyond(), str(table), *sorted(table.faults)[:40]])
