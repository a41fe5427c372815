"""Which log events the LogQL of the dashboards chooses, told without a Loki.

Read are its matchers of labels, and those that are above a number, which is all that the dashboards choose by; whether
the rest of a query is LogQL is for Grafana's grammar to say.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MATCHER: Final = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|`[^`]*`)(\s+or\b)?')
"""Label, operator, value in either kind of quotes, and whether the next one is an alternative."""
ABOVE: Final = re.compile(r"\| (\w+) > ([0-9.]+)")
"""Label, and the number above which it has to be."""


@dataclass(frozen=True)
class Matcher:
    """One of ``label="value"``, ``!=``, ``=~`` and ``!~``."""

    label: str
    operator: str
    value: str

    def fits(self, labels: Mapping[str, str]) -> bool:
        """A label that is not there is empty."""
        found = labels.get(self.label, "")
        equal = re.fullmatch(self.value, found) is not None if "~" in self.operator else found == self.value
        return equal != self.operator.startswith("!")


def stages(query: str) -> list[list[Matcher]]:
    """What a line must fit, one after the other: one matcher at least of each."""
    read: list[list[Matcher]] = [[]]
    for label, operator, quoted, more in MATCHER.findall(query):
        value = quoted[1:-1] if quoted.startswith("`") else json.loads(quoted)
        read[-1].append(Matcher(label, operator, value))
        if not more:
            read.append([])
    return read[:-1]


def chooses(query: str, labels: Mapping[str, str]) -> bool:
    above = all(float(labels.get(label) or "-inf") > float(least) for label, least in ABOVE.findall(query))
    return above and all(any(each.fits(labels) for each in alternatives) for alternatives in stages(query))


def named(query: str) -> set[str]:
    """The labels by which a query groups, and the one whose value it takes."""
    groups = re.findall(r"\bby\s*\(([^)]*)\)", query)
    return {label.strip() for group in groups for label in group.split(",")} | set(
        re.findall(r"\| unwrap (\w+)", query)
    )


def labels(fields: Mapping[str, str]) -> dict[str, str]:
    """A record's fields as Loki names them."""
    return {re.sub(r"\W", "_", name): value for name, value in fields.items()}
