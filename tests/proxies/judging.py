"""What `diagnose` says of a deployment's telemetry, held against what it has to say."""

import gzip
from pathlib import Path
from typing import Final

from autogen_streamtrace.commands.diagnose.findings import Diagnosis, Finding, diagnose
from autogen_streamtrace.commands.reading import files
from autogen_streamtrace.limits import LimitMatcher, builtin
from proxies.deployments import Deployment

STORED: Final = Path(__file__).parent / "stored"
SURE: Final = ("certain", "very likely", "likely")
MECHANISMS: Final = ("silence", "first_byte", "duration", "moment", "reuse", "refused", "queue", "buffering")


def said_of(file: Path) -> Diagnosis:
    """What is said of a file of telemetry."""
    return diagnose(files.read([str(file)]).table, LimitMatcher(builtin()))


def said_of_stored(deployment: Deployment, folder: Path) -> Diagnosis:
    """What is said of a deployment's stored telemetry, unpacked into a folder."""
    file = folder / f"{deployment.name}.jsonl"
    file.write_bytes(gzip.decompress((STORED / f"{deployment.name}.jsonl.gz").read_bytes()))
    return said_of(file)


def judged(deployment: Deployment, found: Diagnosis) -> list[tuple[Finding, str]]:
    """What is told of a deployment's cuts, each with what is wrong with it; empty where nothing is."""
    told = [each for each in found.findings if each.kind in MECHANISMS or each.kind in _expected(deployment)]
    return [(each, _wrong(deployment, each)) for each in told if each.streams >= deployment.cut]


def _expected(deployment: Deployment) -> set[str]:
    return {deployment.said.kind} if deployment.said else set()


def _wrong(deployment: Deployment, finding: Finding) -> str:
    said = deployment.said
    if said is None:
        return f"{finding.kind}, and nothing cuts"
    if finding.kind != said.kind:
        return f"{finding.kind} for {said.kind}"
    between = finding.between or (None if finding.seconds is None else (finding.seconds, finding.seconds))
    if said.seconds is not None and not (between and between[0] - 0.3 <= said.seconds <= between[1] + 0.3):
        return f"{between} s for {said.seconds:g} s"
    if said.party not in finding.party or bool(said.party) != bool(finding.party):
        return f"{finding.party or 'nobody'} for {said.party or 'nobody'}"
    return "" if said.fix in finding.fix else f"a fix without {said.fix}"
