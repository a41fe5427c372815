"""The servers that the end-to-end tests run: which versions, and where the built binaries are kept.

They are kept outside the checkout, so that every checkout and every environment finds the same ones. A folder's name
ends in a digest of what it was built from: a changed manifest is another build, and never another branch's.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Tool:
    """One build: the folder beside this file with its manifest or module, and the binaries that come of it."""

    name: str
    version: str
    binaries: tuple[str, ...]

    @property
    def source(self) -> Path:
        return HERE / self.name

    @property
    def folder(self) -> Path:
        """Where its binaries are, or will be."""
        digest = hashlib.sha256()
        for file in sorted(self.source.iterdir()):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return cache() / f"{self.name}-{self.version}-{digest.hexdigest()[:8]}"

    @property
    def built(self) -> bool:
        return all((self.folder / binary).exists() for binary in self.binaries)


COLLECTOR = Tool("collector", "0.161.0", ("otelcol",))
PROMETHEUS = Tool("prometheus", "3.16.0", ("prometheus", "promtool"))
VICTORIALOGS = Tool("victorialogs", "1.52.1", ("victoria-logs",))
JAEGER = Tool("jaeger", "1.76.0", ("jaeger",))
KUSTOMIZE = Tool("kustomize", "5.8.1", ("kustomize",))
TOOLS = (COLLECTOR, PROMETHEUS, VICTORIALOGS, JAEGER, KUSTOMIZE)


def cache() -> Path:
    """The folder of all builds, in the user's cache (https://specifications.freedesktop.org/basedir-spec)."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "autogen-streamtrace" / "tools"


def binary(name: str) -> Path:
    """Where a binary of the tools is, such as `promtool`, or will be once `make tools` has run."""
    return next(tool.folder / name for tool in TOOLS if name in tool.binaries)
