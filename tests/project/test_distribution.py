"""What is published: the files of the wheel and of the sdist, and the wheel in an environment of its own."""

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from uv import find_uv_bin

pytestmark = pytest.mark.once

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = {
    str(path.relative_to(ROOT / "src"))
    for path in (ROOT / "src" / "autogen_streamtrace").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
}
"""The package: modules, tables, templates, the mark that it is typed."""
RUNBOOKS: Final = {path.name for path in (ROOT / "docs" / "runbooks").iterdir()}
"""Shown on the page, from their own place in the repository."""

NO_EXPORTERS: Final = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}


class Built(NamedTuple):
    wheel: Path
    sdist: Path

    def in_wheel(self) -> set[str]:
        with zipfile.ZipFile(self.wheel) as opened:
            return set(opened.namelist())

    def in_sdist(self) -> set[str]:
        with tarfile.open(self.sdist) as opened:
            return {each.name.partition("/")[2] for each in opened if each.isfile()}

    def metadata(self) -> Message:
        """Of the wheel; the text of README is its payload."""
        with zipfile.ZipFile(self.wheel) as opened:
            [name] = [name for name in opened.namelist() if name.endswith(".dist-info/METADATA")]
            return Parser().parsestr(opened.read(name).decode())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The wheel is built from the sdist, as those do who build it from there."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The same, where the release workflow has said where the project is on the web."""
    addresses = {
        "STREAMTRACE_REPOSITORY_URL": "https://forge.example/us/it",
        "STREAMTRACE_SITE_URL": "https://docs.example/it/",
    }
    return build(tmp_path_factory.mktemp("released"), addresses)


def build(out: Path, addresses: "dict[str, str] | None" = None) -> Built:
    """The addresses are known as the sdist is built, and not as the wheel is built from it."""
    uv("build", "--quiet", "--sdist", f"--python={sys.executable}", f"--out-dir={out}", str(ROOT), **(addresses or {}))
    [sdist] = out.glob("*.tar.gz")
    uv("build", "--quiet", "--wheel", f"--python={sys.executable}", f"--out-dir={out}", str(sdist))
    [wheel] = out.glob("*.whl")
    return Built(wheel, sdist)


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel and what it asks for, and nothing else."""
    home = tmp_path_factory.mktemp("installed")
    uv("venv", "--quiet", f"--python={sys.executable}", str(home / "venv"))
    programs = home / "venv" / "bin"
    uv("pip", "install", "--quiet", f"--python={programs / 'python'}", str(built.wheel))
    return programs


def test_the_wheel_has_the_package_and_nothing_beside_it(built: Built) -> None:
    assert {name for name in built.in_wheel() if ".dist-info/" not in name} == SOURCES | {
        f"autogen_streamtrace/commands/ui/runbooks/{name}" for name in RUNBOOKS
    }


@pytest.mark.parametrize("suffix", [".typed", ".toml", ".html", ".js", ".css", ".svg"])
def test_the_wheel_has_what_is_not_python(built: Built, suffix: str) -> None:
    assert [name for name in built.in_wheel() if name.endswith(suffix)]


def test_the_wheel_has_the_licence(built: Built) -> None:
    assert [name for name in built.in_wheel() if name.endswith(".dist-info/licenses/LICENSE")]
    assert built.metadata()["License-Expression"] == "Apache-2.0"


def test_the_sdist_has_what_the_wheel_is_built_from_and_no_tests(built: Built) -> None:
    beside = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "SECURITY.md", "hatch_build.py", "pyproject.toml"}
    made = {"PKG-INFO", ".gitignore"}
    assert built.in_sdist() == {f"src/{name}" for name in SOURCES} | beside | made | {
        f"docs/runbooks/{name}" for name in RUNBOOKS
    }


def test_a_release_says_where_the_project_is(released: Built) -> None:
    assert dict(url.split(", ") for url in released.metadata().get_all("Project-URL", [])) == {
        "Homepage": "https://docs.example/it/",
        "Documentation": "https://docs.example/it/",
        "Changelog": "https://docs.example/it/changelog/",
        "Source": "https://forge.example/us/it",
        "Issues": "https://forge.example/us/it/issues",
    }


def test_a_release_shows_the_readme_with_links_that_lead_to_its_version(released: Built) -> None:
    text = str(released.metadata().get_payload())
    version = released.metadata()["Version"]
    assert f"](https://forge.example/us/it/raw/v{version}/docs/demo.svg)" in text
    assert re.findall(r"\]\((?!https?://)[^)]*\)", text) == []


def test_a_build_that_knows_no_address_names_none(built: Built) -> None:
    assert built.metadata().get_all("Project-URL") is None
    assert built.metadata().get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_citation_has_the_version(built: Built) -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {built.metadata()['Version']}\n" in citation


def test_the_installed_command_says_its_version(built: Built, installed: Path) -> None:
    said = run(str(installed / "autogen-streamtrace"), "--version")
    assert said == f"autogen-streamtrace, version {built.metadata()['Version']}\n"


def test_the_installed_package_watches(installed: Path, tmp_path: Path) -> None:
    program = """
import asyncio, autogen_streamtrace as streamtrace

async def words():
    yield "one"

async def main():
    streamtrace.instrument(stall_after=5)
    stream = streamtrace.trace_stream(words(), "words")
    await stream.__anext__()
    print([each.name for each in streamtrace.open_streams()], [word async for word in stream])
    streamtrace.uninstrument()

asyncio.run(main())
"""
    settings = {**NO_EXPORTERS, "AUTOGEN_STREAMTRACE_RECORDER_DIR": str(tmp_path)}
    assert run(str(installed / "python"), "-W", "error", "-c", program, settings=settings) == "['words'] []\n"


def uv(*arguments: str, **settings: str) -> None:
    """Runs uv with the way to the registry that whoever runs the tests has."""
    run(find_uv_bin(), *arguments, settings={**json.loads(os.environ["STREAMTRACE_TEST_NETWORK"]), **settings})


def run(*command: str, settings: "dict[str, str] | None" = None) -> str:
    """What a program prints, which must end well, outside of the checkout."""
    own = {"PYTHONPATH", "VIRTUAL_ENV", "STREAMTRACE_REPOSITORY_URL", "STREAMTRACE_SITE_URL"}
    outside = {name: value for name, value in os.environ.items() if name not in own}
    done = subprocess.run(
        command, env={**outside, **(settings or {})}, cwd="/", capture_output=True, text=True, timeout=55
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
