"""What `diagnose` says of real deployments: live where the proxies are installed, and from stored telemetry of each."""

import os
from pathlib import Path

import pytest

from autogen_streamtrace.commands.diagnose.findings import Diagnosis
from proxies.deployments import DEPLOYMENTS, Deployment
from proxies.judging import SURE, judged, said_of, said_of_stored
from proxies.programs import NotInstalledError
from proxies.running import run

pytestmark = pytest.mark.once

ALL = bool(os.environ.get("STREAMTRACE_PROXIES"))
"""`nox -s proxies` runs all of them, else six that need no more than pip brings."""
names = pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each.name)


def check(deployment: Deployment, found: Diagnosis) -> None:
    """The largest finding says what is true, and no other one a falsehood."""
    sure = [(finding, wrong) for finding, wrong in judged(deployment, found) if finding.sure in SURE]
    assert [wrong for _, wrong in sure if wrong] == [], found
    if deployment.said is not None:
        first = max(found.findings, key=lambda each: each.streams)
        assert first in [finding for finding, _ in sure], first


@names
def test_the_stored_telemetry_of_a_deployment_is_told_right(deployment: Deployment, tmp_path: Path) -> None:
    check(deployment, said_of_stored(deployment, tmp_path))


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
