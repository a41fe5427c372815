"""The product's settings: a keyword of ``instrument()``, else ``AUTOGEN_STREAMTRACE_<NAME>`` in the environment.

A setting is one line in ``Settings``; its type says what is allowed.
"""

import json
import logging
import os
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX: Final = "AUTOGEN_STREAMTRACE_"

_logger = logging.getLogger(__name__)


class SettingError(ValueError):
    """A setting that cannot be used. The message names it, its value and what is allowed."""


SomePath = Annotated[Path | None, BeforeValidator(lambda given: None if given == "" else given)]
"""A path, as ``str`` or ``pathlib.Path``; empty counts as none."""


class Settings(BaseSettings):
    """What an operator may choose. An empty variable counts as unset."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid")

    events: Literal["turns", "all", "none"] = Field("turns", description="whose start and end are told as log events")
    caller_endings: Literal["unset", "error"] = Field("unset", description="span status of endings the caller chose")
    stall_after: float = Field(10.0, gt=0, allow_inf_nan=False, description="seconds of silence that count as a stall")
    recorder: bool = Field(True, description="keep what is known of open streams where it survives the process")
    recorder_dir: SomePath = Field(None, description="directory of the flight recorders; by default the user's own")
    max_names: int = Field(100, ge=1, le=1000, description="values of one metric label before the rest reads _OTHER")
    limits_file: SomePath = Field(None, description="a file of limits of your own, beside the catalogue that ships")
    baggage: Annotated[dict[str, tuple[str, ...]], NoDecode, BeforeValidator(lambda given: _entries(given))] = Field(
        {},
        description="baggage entries on spans and events, each with the values that it may have on metrics",
    )


def _entries(given: object) -> object:
    """``tenant,plan``, a list of names, or each name with its list of values (in the environment as JSON)."""
    if isinstance(given, str):
        given = json.loads(given) if given.lstrip().startswith(("{", "[")) else given.split(",")
    if isinstance(given, list | tuple | set | frozenset):
        return {name.strip() if isinstance(name, str) else name: () for name in given}
    return given


def load(**keywords: object) -> Settings:
    """The settings in force.

    Args:
        keywords: settings by name; they win over the environment.

    Raises:
        SettingError: a name that does not exist, or a value that is not allowed.
    """
    _check_names(keywords)
    _warn_of_unknown_variables()
    values: dict[str, Any] = keywords
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingError("; ".join(_explain(each, keywords) for each in error.errors())) from None


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def _check_names(keywords: dict[str, object]) -> None:
    for name in keywords:
        if name not in Settings.model_fields:
            close = get_close_matches(name, Settings.model_fields, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise SettingError(f"there is no setting {name!r}.{hint} Known: {', '.join(sorted(Settings.model_fields))}")


def _warn_of_unknown_variables() -> None:
    known = {variable(name) for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        _logger.warning("Ignored, no such setting: %s. Known: %s", ", ".join(unknown), ", ".join(sorted(known)))


def _explain(problem: Any, keywords: dict[str, object]) -> str:
    name = str(problem["loc"][0])
    source = f"setting {name!r}" if name in keywords else f"setting {name!r} (environment variable {variable(name)})"
    return f"{source}: {problem['input']!r} is not allowed; allowed: {_allowed(name) or problem['msg']}"


def _allowed(name: str) -> str:
    """What a setting's type allows, in words; empty where only the validator's own message can tell."""
    schema = Settings.model_json_schema()["properties"][name]
    if "enum" in schema:
        return ", ".join(repr(each) for each in schema["enum"])
    if name == "baggage":
        return "names of baggage entries, or each name with the list of values that it may have on metrics"
    if schema.get("type") == "integer" and {"minimum", "maximum"} <= schema.keys():
        return f"a whole number from {schema['minimum']} to {schema['maximum']}"
    if schema.get("type") == "boolean":
        return "true, false"
    if schema.get("type") == "number" and "exclusiveMinimum" in schema:
        return f"a finite number above {schema['exclusiveMinimum']}"
    if name.endswith(("_dir", "_file")):
        return "a path, as str or pathlib.Path"
    return ""
