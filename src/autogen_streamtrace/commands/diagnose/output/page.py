"""The diagnosis as the page of `ui`, in one file."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from autogen_streamtrace.commands.diagnose.findings import Diagnosis
from autogen_streamtrace.commands.diagnose.output import documents
from autogen_streamtrace.commands.diagnose.output.bundle import one_file
from autogen_streamtrace.commands.diagnose.output.examples import as_rows, examples
from autogen_streamtrace.commands.reading.files import Streams
from autogen_streamtrace.limits import LimitMatcher


def write(path: Path, diagnosis: Diagnosis, streams: Streams, sources: Sequence[str], known: LimitMatcher) -> None:
    """Writes the page.

    Args:
        path: of the file.
        diagnosis: what was found.
        streams: in what.
        sources: the files that were read, out of which some turns are shown in full.
        known: the catalogue of limits.

    Raises:
        OSError: the file cannot be written.
    """
    answers = _answers(diagnosis, streams, sources, known)
    path.write_text(one_file("What cuts the streams", answers), encoding="utf-8")


def _answers(diagnosis: Diagnosis, streams: Streams, sources: Sequence[str], known: LimitMatcher) -> dict[str, Any]:
    """What the page asks for, by its path."""
    found = documents.causes(diagnosis)
    turns = examples(streams.table, diagnosis, sources)
    for turn in turns:
        turn["causes"] = [each for each in found["findings"] if turn["trace"] in each["traces"]]
    shown = {turn["trace"] for turn in turns}
    for each in found["findings"]:
        each["traces"] = [trace for trace in each["traces"] if trace in shown]
    return {
        "meta": {"version": metadata.version("autogen-streamtrace")},
        "cuts": documents.cuts(streams.table, diagnosis, known.limits),
        "causes": found,
        "turns": {"turns": as_rows(turns), "next": None},
        "input": {"remark": streams.remark, "bad": streams.bad, "told": streams.told},
        **{f"turn/{turn['trace']}": turn for turn in turns},
        **documents.runbooks(diagnosis),
    }
