"""What CI does: sessions that exist, on the Pythons that are promised, with actions that nobody can change."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

pytestmark = pytest.mark.once

ROOT: Final = Path(__file__).parents[2]
WORKFLOWS: Final = sorted((ROOT / ".github" / "workflows").iterdir())
MATRIX: Final[list[str]] = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))["jobs"][
    "session"
]["strategy"]["matrix"]["session"]

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def text(*parts: str) -> str:
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return found


@each_workflow
def test_every_action_is_pinned_by_its_commit_and_names_its_version(path: Path) -> None:
    used = re.findall(r"uses: (?!\./)(.*)", path.read_text(encoding="utf-8"))
    assert [action for action in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", action)] == []


@each_workflow
def test_no_job_may_more_than_it_says(path: Path) -> None:
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"] == {}
    assert [name for name, job in jobs(path).items() if "permissions" not in job] == []


def test_an_action_has_one_version() -> None:
    pinned = {pin for path in WORKFLOWS for pin in re.findall(r"uses: (\S+@\S+)", path.read_text(encoding="utf-8"))}
    assert len(pinned) == len({pin.partition("@")[0] for pin in pinned})


@pytest.mark.parametrize("name", ["STREAMTRACE_SITE_URL", "STREAMTRACE_REPOSITORY_URL"])
def test_what_is_published_and_the_site_have_the_same_addresses(name: str) -> None:
    used = [
        found
        for path in WORKFLOWS
        for found in re.findall(rf"^ +{name}: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert len(used) == 2 and len(set(used)) == 1


def test_every_session_that_ci_runs_exists() -> None:
    sessions = re.findall(r"^def (\w+)\(session", text("noxfile.py"), re.MULTILINE)
    assert [name for name in MATRIX if re.split(r"[(-]", name)[0] not in sessions] == []


def test_ci_runs_every_session_of_the_test_command() -> None:
    [default] = re.findall(r"^nox\.options\.sessions = \[(.*)\]", text("noxfile.py"), re.MULTILINE)
    assert set(re.findall(r"\"(\w+)\"", default)) <= {re.split(r"[(-]", name)[0] for name in MATRIX}


def test_ci_runs_every_python_of_the_classifiers() -> None:
    promised = re.findall(r"Programming Language :: Python :: (3\.\d+)", text("pyproject.toml"))
    runs_nox = text(".github", "workflows", "tests.yml").partition("python-version: |")[2].split()[4]
    assert set(promised) <= {name.removeprefix("pythons-") for name in MATRIX} | {runs_nox}


@pytest.mark.parametrize(("ecosystem", "file"), [("gomod", "go.mod"), ("npm", "package.json")])
def test_every_module_that_tools_build_is_kept_up_to_date(ecosystem: str, file: str) -> None:
    [update] = [
        each
        for each in yaml.safe_load(text(".github", "dependabot.yml"))["updates"]
        if each["package-ecosystem"] == ecosystem
    ]
    assert {f"/tools/{path.parent.name}" for path in (ROOT / "tools").glob(f"*/{file}")} == set(update["directories"])


def test_what_the_hooks_leave_alone_exists() -> None:
    left = re.compile(yaml.safe_load(text(".pre-commit-config.yaml"))["exclude"])
    files = [
        path.relative_to(ROOT).as_posix() for path in (*(ROOT / "docs").rglob("*"), *(ROOT / "tests").rglob("*.json"))
    ]
    found = [path for path in files if left.search(path)]
    assert {path for path in found if path.endswith(".json")} == {"tests/evidence/proxy_answers.json"}
    assert "docs/demo.svg" in found


def test_before_a_commit_the_same_ruff_runs_as_in_lint() -> None:
    [version] = re.findall(r"\"(ruff~=[\d.]+)\"", text("pyproject.toml"))
    assert set(re.findall(r"ruff~=[\d.]+", text(".pre-commit-config.yaml"))) == {version}
