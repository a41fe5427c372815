"""`make tools`: where the binaries are kept, and what it says where it cannot build them."""

import shutil
import subprocess
import sys
from pathlib import Path

import binaries
import pytest

pytestmark = pytest.mark.once

BUILD = binaries.HERE / "build.py"


def build(**env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, BUILD], env=env, capture_output=True, text=True, timeout=40, check=False)


def test_binaries_are_kept_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    kept = binaries.binary("promtool")
    assert kept.parent.parent == Path("/somewhere/autogen-streamtrace/tools")
    assert kept.parent.name.startswith(f"prometheus-{binaries.PROMETHEUS.version}-")


def test_what_is_built_from_something_else_is_kept_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = binaries.VICTORIALOGS.folder
    shutil.copytree(binaries.HERE, tmp_path, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True)
    changed = tmp_path / "victorialogs" / "go.mod"
    changed.write_text(changed.read_text() + "\n")
    monkeypatch.setattr(binaries, "HERE", tmp_path)
    assert binaries.VICTORIALOGS.folder != before


def test_versions_are_those_of_what_is_built() -> None:
    manifest = (binaries.COLLECTOR.source / "manifest.yaml").read_text()
    assert f"\n  version: {binaries.COLLECTOR.version}\n" in manifest
    assert f"VictoriaLogs v{binaries.VICTORIALOGS.version}\n" in (binaries.VICTORIALOGS.source / "go.mod").read_text()
    major, minor, patch = binaries.PROMETHEUS.version.split(".")
    module = f"prometheus/prometheus v0.{int(major) * 100 + int(minor)}.{patch}\n"
    assert module in (binaries.PROMETHEUS.source / "go.mod").read_text()


def test_without_go_it_says_what_is_needed(tmp_path: Path) -> None:
    done = build(XDG_CACHE_HOME=str(tmp_path), PATH=str(tmp_path), HOME=str(tmp_path))
    assert done.returncode == 1
    assert "Go is needed to build collector" in done.stderr and "https://go.dev/dl" in done.stderr


def test_what_is_built_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for tool in binaries.TOOLS:
        tool.folder.mkdir(parents=True)
        for name in tool.binaries:
            (tool.folder / name).touch()
    done = build(XDG_CACHE_HOME=str(tmp_path), PATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert str(binaries.VICTORIALOGS.folder) in done.stdout


def test_a_tool_with_a_binary_missing_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = binaries.PROMETHEUS.folder
    folder.mkdir(parents=True)
    (folder / "prometheus").touch()
    assert not binaries.PROMETHEUS.built
