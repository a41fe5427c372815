"""Tells when a module is imported. ``wrapt`` cannot take a hook back, so there is one of ours for each module."""

import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Final

import wrapt

Told = Callable[[ModuleType], None]

_waiting: Final[dict[str, list[Told]]] = {}
"""Who waits for a module; an empty list where all have gone."""


def when_imported(name: str, tell: Told) -> Callable[[], None]:
    """Calls ``tell`` with the module now, or as soon as it is imported; returns how to wait no more."""
    module = sys.modules.get(name)
    if module is not None:
        tell(module)
        return _nothing
    if name not in _waiting:
        _waiting[name] = []
        wrapt.register_post_import_hook(partial(_imported, name), name)
    waiting = _waiting[name]
    waiting.append(tell)
    return lambda: waiting.remove(tell) if tell in waiting else None


def _imported(name: str, module: ModuleType) -> None:
    waiting = _waiting.pop(name, [])
    while waiting:
        waiting.pop(0)(module)


def _nothing() -> None:
    pass
