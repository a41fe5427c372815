"""Mounts of a program's own, where this user may have them."""

import contextlib
import subprocess
from typing import Final


def _own_mounts() -> list[str]:
    for command in (["unshare", "--map-root-user", "--mount"], ["unshare", "--mount"]):
        with contextlib.suppress(FileNotFoundError):
            tried = subprocess.run([*command, "mount", "-t", "tmpfs", "tmpfs", "/tmp"], capture_output=True)
            if tried.returncode == 0:
                return command
    return []


OWN_MOUNTS: Final = _own_mounts()
"""The command that gives a program mounts of its own; empty where nothing can be mounted."""
