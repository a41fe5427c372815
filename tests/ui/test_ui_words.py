"""What the page calls things, and how often it tells of them."""

import json
from pathlib import Path

import pytest
from synthetic import Turn, lines

from autogen_streamtrace.commands.store.place import held
from autogen_streamtrace.commands.store.reading import Reader
from autogen_streamtrace.commands.store.writing import Batch, Writer
from autogen_streamtrace.commands.ui.machine import Program
from autogen_streamtrace.commands.ui.views.filters import Filters
from autogen_streamtrace.commands.ui.views.now import now
from autogen_streamtrace.core import semconv as sc

runbooks = pytest.importorskip("autogen_streamtrace.commands.ui.causes.runbooks", reason="needs the extra `ui`")

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("outcome", "timed", "name"),
    [
        (sc.ABANDONED, False, "abandoned"),
        (sc.NEVER_STARTED, False, "never_started"),
        (sc.CANCELLED, False, "cancelled"),
        (sc.CANCELLED, True, "users-give-up"),
    ],
)
def test_a_reader_who_leaves_has_the_runbook_of_users_only_after_a_fixed_time(
    outcome: str, timed: bool, name: str
) -> None:
    assert runbooks.of_finding("reader", outcome, timed=timed) == name
    assert runbooks.runbook(name) is not None


@pytest.mark.parametrize(("instance", "listed"), [("one", 1), ("other", 2)])
def test_a_program_that_is_seen_and_sends_is_listed_once(tmp_path: Path, instance: str, listed: int) -> None:
    """The two know it by its instance; what it sends need not name its process."""
    [sent] = [json.loads(line) for line in lines([Turn(at=0.0)], "desk")]
    for span in sent["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        span["endTimeUnixNano"] = str(2**62)
    attributes = sent["resourceSpans"][0]["resource"]["attributes"]
    attributes.append({"key": "service.instance.id", "value": {"stringValue": "one"}})
    with held(tmp_path / "store") as file:
        writer = Writer(file)
        writer.write([Batch.of(sent)])
        reader = Reader(file)
        seen = Program(7, {"service.name": "desk", "service.instance.id": instance})
        found = now(reader, [seen], Filters())["programs"]
        reader.close()
        writer.close()
    assert len(found) == listed and found[0]["alive"]
