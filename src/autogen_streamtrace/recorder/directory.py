"""The directory of the recorders, which belongs to this user alone."""

import logging
import os
import stat
from pathlib import Path
from typing import Final

ROWS_SUFFIX: Final = ".streams"
COUNTS_SUFFIX: Final = ".counts"
NEW_SUFFIX: Final = ".new"
ASIDE_SUFFIX: Final = ".aside"
CLAIM_SUFFIX: Final = ".claim"

logger = logging.getLogger(__name__)


class UnusableError(OSError):
    """The directory cannot hold recorders. The message says what to do."""


Chosen = str | Path | None
"""The setting ``recorder_dir``."""


def base(chosen: Chosen = None) -> Path:
    """The setting ``recorder_dir``, else the user's state directory.

    Raises:
        UnusableError: nothing is chosen, and this user has no home directory.

    Source: https://specifications.freedesktop.org/basedir-spec/latest/
    """
    if chosen:
        return Path(chosen)
    state = os.environ.get("XDG_STATE_HOME", "")
    return Path(state if os.path.isabs(state) else _home() / ".local" / "state") / "autogen-streamtrace"


def _home() -> Path:
    try:
        return Path.home()
    except (RuntimeError, KeyError):  # no HOME, and the user id has no entry in the password database
        raise UnusableError("this user has no home directory") from None


def own(chosen: Chosen = None) -> Path:
    """This user's directory below ``base``, which may be a volume that all users may write to.

    Raises:
        UnusableError: this platform has no users.
    """
    if not hasattr(os, "geteuid"):
        raise UnusableError("this platform has no user ids")
    return base(chosen) / f"recorders-{os.geteuid()}"


def made(path: Path) -> Path:
    """Makes the directory if needed, with mode 0700.

    Raises:
        UnusableError: it belongs to another user, or is open to others, or is no directory.
        OSError: it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    check(path)
    return path


def check(path: Path) -> None:
    """Raises ``UnusableError`` unless it is a directory of this user's alone."""
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise UnusableError(f"{path} is no directory")
    if found.st_uid != os.geteuid():
        raise UnusableError(f"{path} belongs to user {found.st_uid}, not to {os.geteuid()}")
    if found.st_mode & 0o077:
        raise UnusableError(f"{path} is open to other users (mode {found.st_mode & 0o777:o}); chmod it to 700")


def found(chosen: Chosen = None) -> list[Path]:
    """The recorders' files below a base that this user may read, oldest first."""
    files: list[tuple[float, Path]] = []
    for directory in base(chosen).glob("recorders-*"):
        try:
            if directory.is_dir() and not directory.is_symlink():
                files += [(each.lstat().st_mtime, each) for each in directory.iterdir() if each.suffix == ROWS_SUFFIX]
        except OSError as error:
            logger.debug("%s cannot be read: %s", directory, error)
    return [path for _, path in sorted(files)]
