"""Parts of the SDK that packages offer as entry points, and that ``OTEL_*`` variables choose."""

import logging
import os
from functools import cache
from importlib.metadata import EntryPoint, distributions
from typing import Any, Final

from opentelemetry.environment_variables import OTEL_PYTHON_ID_GENERATOR
from opentelemetry.sdk.environment_variables import (
    OTEL_TRACES_SAMPLER,
    OTEL_TRACES_SAMPLER_ARG,
)
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Sampler

from autogen_streamtrace.settings import SettingError

logger = logging.getLogger(__name__)

_ID_GENERATORS: Final = "opentelemetry_id_generator"
_SAMPLERS: Final = "opentelemetry_traces_sampler"


def installed(group: str) -> list[str]:
    """The names in a group of entry points."""
    return sorted(_group(group))


def load(group: str, name: str) -> Any:
    """The object that an entry point names; ``None`` where there is no such entry point."""
    found = _group(group).get(name)
    return None if found is None else found.load()


def sampler() -> Sampler | None:
    """The sampler of another package that ``OTEL_TRACES_SAMPLER`` names; ``None`` where the SDK has it.

    It gets the text of ``OTEL_TRACES_SAMPLER_ARG``. If it cannot be made, a warning says so and the default is used.
    """
    name = os.environ.get(OTEL_TRACES_SAMPLER, "").strip()
    found = _group(_SAMPLERS).get(name)
    if found is None or found.value.startswith("opentelemetry.sdk."):
        return None
    try:
        made = found.load()(os.environ.get(OTEL_TRACES_SAMPLER_ARG))
        if isinstance(made, Sampler):
            return made
        reason = f"{made!r} is no Sampler"
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    logger.warning("%s: %r cannot be used: %s. The default sampler is used.", OTEL_TRACES_SAMPLER, name, reason)
    return None


def id_generator() -> IdGenerator | None:
    """The id generator that ``OTEL_PYTHON_ID_GENERATOR`` names; ``None`` for the SDK's default.

    Raises:
        SettingError: there is no such generator.
    """
    name = os.environ.get(OTEL_PYTHON_ID_GENERATOR, "").strip()
    if not name:
        return None
    make = load(_ID_GENERATORS, name)
    made = make() if callable(make) else None
    if isinstance(made, IdGenerator):
        return made
    raise SettingError(
        f"{OTEL_PYTHON_ID_GENERATOR}: {name!r} is not allowed; allowed here: {', '.join(installed(_ID_GENERATORS))}"
    )


def _group(group: str) -> dict[str, EntryPoint]:
    return _groups().get(group, {})


@cache
def _groups() -> dict[str, dict[str, EntryPoint]]:
    """All entry points by group and name, read once: Python reads a file of each installed package to find one."""
    groups: dict[str, dict[str, EntryPoint]] = {}
    for distribution in distributions():
        for each in distribution.entry_points:
            groups.setdefault(each.group, {}).setdefault(each.name, each)  # the first on the path wins
    return groups
