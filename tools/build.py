"""Builds the servers that the end-to-end tests run, once, from their modules: `make tools`.

Needs Go 1.26, some 6 GB of disk while it works, and ten minutes on two cores; what stays is 0.2 GB of binaries.
Interrupted, it goes on where it was. Modules come through Go's own proxy and are checked against the sums in `tools/`,
or those of Go's sum database.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from binaries import COLLECTOR, PROMETHEUS, TOOLS, VICTORIALOGS, Tool, cache

BUILDER = f"go.opentelemetry.io/collector/cmd/builder@v{COLLECTOR.version}"
PROMETHEUS_VERSION = f"-X github.com/prometheus/common/version.Version={PROMETHEUS.version}"
VICTORIALOGS_VERSION = (
    f"-X github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version=victoria-logs-v{VICTORIALOGS.version}"
)
WORDY_SECONDS = 15.0
"""Between two lines of progress where nobody watches a terminal."""


def main() -> None:
    missing = [tool for tool in TOOLS if not tool.built]
    if missing:
        require_go()
        with one_at_a_time():
            for tool in missing:
                if not tool.built:  # another process may have built it meanwhile
                    build(tool)
            remove(work())
    for tool in TOOLS:
        print(f"{tool.name} {tool.version}: {tool.folder}")


def build(tool: Tool) -> None:
    """Build into a folder beside the final one, which is given its name when all is there."""
    began = time.monotonic()
    unfinished = tool.folder.with_name(f"{tool.folder.name}.unfinished")
    unfinished.mkdir(parents=True, exist_ok=True)
    if tool is COLLECTOR:
        show(tool, ["go", "run", BUILDER, "--skip-compilation", f"--config={tool.source / 'manifest.yaml'}"], work())
        compile_packages(tool, ".", unfinished / "otelcol", work() / "collector")
    elif tool is PROMETHEUS:
        compile_packages(tool, "tool", unfinished, tool.source, PROMETHEUS_VERSION, "-tags=netgo,remove_all_sd")
    elif tool is VICTORIALOGS:
        compile_packages(tool, "tool", unfinished, tool.source, VICTORIALOGS_VERSION)
    else:
        compile_packages(tool, "tool", unfinished, tool.source)
    unfinished.rename(tool.folder)
    print(f"{tool.name}: built in {time.monotonic() - began:.0f} s", flush=True)


def compile_packages(tool: Tool, packages: str, out: Path, module: Path, set_version: str = "", *flags: str) -> None:
    link = f"-ldflags=-s -w {set_version}".rstrip()
    show(tool, ["go", "build", "-v", "-trimpath", link, *flags, f"-o={out}", packages], module)


def show(tool: Tool, command: list[str], folder: Path) -> None:
    """Run a command of Go's and show how far it is: modules as they come, packages as they are compiled.

    Raises:
        SystemExit: it failed; with what it said.
    """
    said: list[str] = []
    shown = 0.0
    process = subprocess.Popen(
        command, cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line.rstrip())
        if sys.stdout.isatty():
            print(f"\r\033[K{tool.name}: {len(said)} {said[-1][:90]}", end="", flush=True)
        elif time.monotonic() - shown > WORDY_SECONDS:
            shown = time.monotonic()
            print(f"{tool.name}: {len(said)} {said[-1]}", flush=True)
    if sys.stdout.isatty():
        print("\r\033[K", end="")
    if process.wait():
        sys.exit("\n".join([*said[-30:], f"{tool.name}: `{' '.join(command)}` in {folder} failed (see above)"]))


def environment() -> dict[str, str]:
    """Go's own settings, with caches that can be removed afterwards, and no way around its proxy.

    With `direct` behind it, the proxy's refusal would hide behind the failure to reach some git server.
    """
    proxy = subprocess.run(["go", "env", "GOPROXY"], check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
    return os.environ | {
        "CGO_ENABLED": "0",
        "GOCACHE": str(work() / "compiled"),
        "GOFLAGS": "-buildvcs=false -modcacherw",
        "GOMODCACHE": str(work() / "modules"),
        "GOPROXY": proxy.removesuffix(",direct").removesuffix("|direct"),
    }


def require_go() -> None:
    if shutil.which("go") is None:
        names = ", ".join(f"{tool.name} {tool.version}" for tool in TOOLS if not tool.built)
        sys.exit(f"Go is needed to build {names} and is not on the PATH: install Go 1.26 or newer (https://go.dev/dl).")


def work() -> Path:
    """Modules and compiled packages, kept until everything is built."""
    folder = cache() / "work"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remove(folder: Path) -> None:
    print("removing the modules and compiled packages", flush=True)
    shutil.rmtree(folder)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two checkouts may build at once; the second waits, and then finds the work done."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    main()
