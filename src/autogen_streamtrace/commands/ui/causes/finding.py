"""Finds the causes of a choice of turns, in the process that does nothing else."""

import dataclasses
import hashlib
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autogen_streamtrace.commands.ui.views.filters import Filters

if TYPE_CHECKING:
    from autogen_streamtrace.commands.diagnose.findings import Finding

Document = dict[str, Any]


def prepare() -> None:
    """Makes this process one core's, which ends with the one that started it, and not by a terminal's Ctrl-C."""
    os.environ["POLARS_MAX_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)


def find(file: Path, limits: tuple[Path, ...], filters: Filters) -> Document:
    """The findings, as the page reads them.

    Args:
        file: the store's file.
        limits: files of the user's own limits.
        filters: choose the turns.
    """
    from autogen_streamtrace.commands.diagnose.findings import diagnose
    from autogen_streamtrace.commands.extras import known_limits
    from autogen_streamtrace.commands.store.frames import chosen_streams
    from autogen_streamtrace.commands.store.reading import Reader
    from autogen_streamtrace.commands.ui.views.filters import where

    began = time.time()
    reader = Reader(file)
    try:
        chosen = where(reader, filters)
        table, whole = chosen_streams(reader, chosen.text, chosen.values)
    finally:
        reader.close()
    diagnosis = diagnose(table, known_limits(limits))
    return {
        "as_of": round(began * 1000),
        "looked_at": {"streams": table.height, "all": whole},
        "summary": diagnosis.summary,
        "services": list(diagnosis.services),
        "findings": [as_document(each) for each in diagnosis.findings],
    }


def as_document(each: "Finding") -> Document:
    """A finding as the page reads it, with its runbook."""
    from autogen_streamtrace.commands.ui.causes.runbooks import of_finding, runbook

    key = hashlib.sha256(f"{each.title}|{each.fix}".encode()).hexdigest()[:12]
    name = of_finding(each.kind, each.outcome, timed=each.seconds is not None)
    opened = runbook(name)
    return {"id": key, **dataclasses.asdict(each), "runbook": name, "runbook_title": opened["title"] if opened else ""}
