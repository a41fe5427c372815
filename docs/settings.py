"""Writes `docs/settings.md` from the settings and the docstring of `instrument()`: `python docs/settings.py`."""

import re
from pathlib import Path
from textwrap import dedent

from autogen_streamtrace import instrument, settings
from autogen_streamtrace.watch import PROVIDERS

PAGE = Path(__file__).with_name("settings.md")

BEFORE = """\
# Settings

<!-- Made by `python docs/settings.py`; what is changed here by hand is lost. -->

A keyword of `instrument()`, or a variable in the environment; the keyword wins. An empty variable counts as unset.

| keyword and variable | default | allowed | meaning |
|---|---|---|---|
"""

AFTER = """
A wrong value or an unknown keyword is an error that says what is allowed. Under `opentelemetry-instrument` it is
logged, and nothing is watched. A variable that begins with `AUTOGEN_STREAMTRACE_` and is none of these is a warning.

[Extend it](extending.md) shows a file of limits and one of finish reasons.

## OpenTelemetry's own

`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_PROTOCOL` (`grpc` or `http/protobuf`), `OTEL_SERVICE_NAME`,
`OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER` and
[the rest](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/) apply where `instrument()`
sets up the SDK. `OTEL_SDK_DISABLED=true` patches nothing. `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` records
contents: [what is recorded](privacy.md#what-is-recorded-and-what-is-not).
"""


def page() -> str:
    """The page of the settings that there are."""
    told = meanings(instrument.__doc__ or "")
    defaults = vars(settings.Settings())
    rows = [
        f"| `{name}`<br>`{settings.variable(name)}` | {spelt(default)} | {allowed(name)} | {told[name]} |"
        for name, default in defaults.items()
    ]
    providers = [f"| `{name}` | the global one | OpenTelemetry's | {told[name]} |" for name in PROVIDERS]
    return BEFORE + "\n".join([*rows, *providers, ""]) + AFTER


def meanings(docstring: str) -> dict[str, str]:
    """What the section on arguments says of each."""
    section = dedent(docstring.partition("Args:\n")[2].partition("\n\n")[0])
    entries = re.findall(r"^(\S[^:]*): (.*(?:\n .*)*)", section, re.MULTILINE)
    return {name: markdown(text) for names, text in entries for name in names.split(", ")}


def allowed(name: str) -> str:
    return settings.allowed(name).replace("'", "`")


def markdown(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").rstrip(".")


def spelt(default: object) -> str:
    """A default, as one would write it into a variable."""
    if default in (None, {}):
        return "unset"
    return f"`{default:g}`" if isinstance(default, float) else f"`{str(default).lower()}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
