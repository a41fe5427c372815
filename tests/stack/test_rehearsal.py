"""`chaos --verdicts` on real stores: beside each fault stands what the telemetry of a real program says of it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from chaos.chaotic import proxy

from autogen_streamtrace.commands.chaos import report
from autogen_streamtrace.commands.chaos.verdicts import Verdicts
from autogen_streamtrace.commands.reading import remote
from autogen_streamtrace.core import semconv as sc

from .collector import CONFIG, ROOT, Collector
from .jaeger import Jaeger
from .runs import PROGRAMS
from .server import eventually
from .victorialogs import VictoriaLogs

pytestmark = pytest.mark.timeout(120)

VICTORIA: Final = ROOT / "backends" / "jaeger-victorialogs.yaml"
TOLD: Final = {
    "none": "completed, model",
    "fin": "disconnected, upstream",
    "silent": "truncated, upstream",
    "http_429": "rejected, upstream",
    "nginx.proxy_read_timeout=3s": "disconnected, upstream, nginx.proxy_read_timeout",
}
"""What is to stand beside each fault."""
SDKS: Final = 3


def test_each_fault_has_the_verdicts_of_the_store(
    tmp_path: Path, victorialogs: VictoriaLogs, jaeger: Jaeger, capsys: pytest.CaptureFixture[str]
) -> None:
    to = {"JAEGER_OTLP_ENDPOINT": jaeger.otlp, "VICTORIALOGS_OTLP_ENDPOINT": victorialogs.otlp}
    keep = {"SAMPLING_EARLY_PERCENT": "100", "SAMPLING_REST_PERCENT": "100", "SAMPLING_ROOT_WAIT": "1s"}
    stores = [Verdicts(store.url) for store in (victorialogs, jaeger)]
    for store in stores:
        store.check()
    with Collector(tmp_path, CONFIG, VICTORIA, **to, **keep) as collector, proxy() as through:
        program = [sys.executable, str(PROGRAMS / "rehearses.py"), through.url, *TOLD]
        subprocess.run(program, env={**os.environ, **collector.sdk("http/protobuf")}, timeout=60, check=True)
        for store in stores:
            eventually(lambda url=store.source: has_arrived(url), what=f"the streams in {store.source}")  # type: ignore[misc]
    expected = {fault.partition("=")[0].replace("none", ""): {verdict: SDKS} for fault, verdict in TOLD.items()}
    for store in stores:
        assert not report.show(through.service.tally, store, as_json=True)
        told = json.loads(capsys.readouterr().out)["faults"]
        assert {fault["fault"]: fault["verdicts"] for fault in told} == expected


def has_arrived(store: str) -> bool:
    """Every turn has ended there, and every HTTP exchange that ended early."""
    table = remote.read(store, 600.0).table
    early = table.filter((table["layer"].cast(str) == sc.HTTP) & table["early"])
    faults = len(TOLD) - 1
    return table.filter(table["outermost"]).height == SDKS * len(TOLD) and early.height == SDKS * faults
