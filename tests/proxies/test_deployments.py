"""What `diagnose` says of real deployments: live where the proxies are installed, and from stored telemetry of each."""

import gzip
import os
from pathlib import Path

import pytest

from autogen_streamtrace.commands.diagnose import reading
from autogen_streamtrace.commands.diagnose.findings import Diagnosis, Finding, diagnose
from autogen_streamtrace.limits import LimitMatcher, builtin
from proxies.deployments import DEPLOYMENTS, Deployment
from proxies.programs import NotInstalledError
from proxies.running import run

pytestmark = pytest.mark.once

STORED = Path(__file__).parent / "stored"
ALL = bool(os.environ.get("STREAMTRACE_PROXIES"))
"""`nox -s proxies` runs all of them, else six that need no more than pip brings."""
SURE = ("certain", "very likely", "likely")
MECHANISMS = ("silence", "first_byte", "duration", "moment", "reuse", "refused", "queue", "buffering")
names = pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each.name)


def said_of(file: Path) -> Diagnosis:
    return diagnose(reading.read([str(file)]).table, LimitMatcher(builtin()))


def check(deployment: Deployment, found: Diagnosis) -> None:
    """The largest finding says what is true, and no other one a falsehood."""
    sure = [each for each in found.findings if each.kind in MECHANISMS and each.sure in SURE]
    if deployment.said is None:
        assert sure == []
        return
    first = max(found.findings, key=lambda each: each.streams)
    assert first.streams >= deployment.cut and first.sure in SURE, first
    _check_words(deployment, first)
    assert [each.kind for each in sure if each is not first and each.streams >= deployment.cut] == []


def _check_words(deployment: Deployment, finding: Finding) -> None:
    said = deployment.said
    assert said is not None
    assert finding.kind == said.kind, finding
    if said.seconds is not None:
        low, high = finding.between or (finding.seconds, finding.seconds)
        assert low is not None and high is not None, finding
        assert low - 0.3 <= said.seconds <= high + 0.3, finding
    assert said.party in finding.party and bool(said.party) == bool(finding.party), finding
    assert said.fix in finding.fix, finding


@names
def test_the_stored_telemetry_of_a_deployment_is_told_right(deployment: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "otlp.jsonl"
    file.write_bytes(gzip.decompress((STORED / f"{deployment.name}.jsonl.gz").read_bytes()))
    check(deployment, said_of(file))


@pytest.mark.timeout(180)
@pytest.mark.xdist_group("proxies")
@names
def test_a_deployment_that_runs_is_told_right(deployment: Deployment, tmp_path: Path) -> None:
    if not (ALL or deployment.always):
        pytest.skip("runs in `nox -s proxies`")
    try:
        check(deployment, said_of(run(deployment, tmp_path)))
    except NotInstalledError as error:
        pytest.skip(str(error))
