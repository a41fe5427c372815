"""Every ending of a stream. Each is a small program that does something to the stream, with the expected verdict."""

from typing import Final

from autogen_streamtrace.commands.demo.scenarios import cuts, readers, replies, teams, tools
from autogen_streamtrace.commands.demo.scenarios.expectation import Says, Scenario

SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for group in (replies.SCENARIOS, tools.SCENARIOS, cuts.SCENARIOS, readers.SCENARIOS, teams.SCENARIOS)
    for scenario in group
}

__all__ = ["SCENARIOS", "Says", "Scenario"]
