"""The pages of the site that are made from code and data: the API, the commands, the limits, the files."""

import re
import textwrap
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

from click import Command, Context
from click.testing import CliRunner

import autogen_streamtrace
from autogen_streamtrace import cli
from autogen_streamtrace.limits.catalogue import KnownLimit, builtin

from .addresses import ROOT, served
from .outputs import Shown, outputs

_COMMANDS: Final = (
    "What each command says with `--help`, and then what it prints. All of it was run as this page was built, on one "
    "machine: a model of `chaos` answers, and the programs are those of the [examples](examples.md)."
)
_COUNTS: Final = {
    "silence": "the silence between two bytes",
    "first_byte": "the time until the response begins",
    "duration": "the time of the whole response",
    "queue": "the time that a request waits for its turn",
    "reuse": "the time that an idle connection is kept for the next request",
    "refused": "how many may come at once",
    "moment": "the time that a stop or reload waits for what is open",
    "buffering": "whether a body is passed on at once",
}
_LIMITS: Final = (
    "The settings that cut streams, as `streamtrace.limit.id` names them, each with the line to change. `diagnose` "
    "matches what it measured with them. A limit without a default is off, is no time, or has another value in every "
    "installation."
)
_LANGUAGES: Final = {
    ".py": "python",
    ".toml": "toml",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".md": "markdown",
}

_PROSE: Final = re.compile(r"\s*(?![-*] |\*\*Your|\d+\. )[\w`*\[]")
_SENTENCE: Final = re.compile(r"(?<=\.)\*{0,2} ")


def api() -> str:
    """The public names, with their docstrings."""
    names = "\n\n".join(f"## {name}\n\n{_documented(name)}" for name in _public())
    return f"# Python API\n\nEvery public name of the package. All times are in seconds.\n\n{names}\n"


def _documented(name: str) -> str:
    what = "class" if isinstance(getattr(autogen_streamtrace, name), type) else "function"
    members = "\n   :members:\n   :undoc-members:" if what == "class" else ""
    return f"```{{eval-rst}}\n.. auto{what}:: autogen_streamtrace.{name}{members}\n```"


def _public() -> list[str]:
    first = ["instrument", "uninstrument", "flush", "trace_stream", "open_streams", "ASGIMiddleware"]
    return first + [name for name in autogen_streamtrace.__all__ if name not in first]


def commands() -> str:
    """What each command says with ``--help``, and what it prints."""
    shown = outputs()
    context = Context(cli.app)
    known = {name: cli.app.get_command(context, name) for name in cli.app.list_commands(context)}
    texts = [
        "\n\n".join([f"## {name}", f"```\n{_help(command, name)}\n```", *map(_run, shown[name])])
        for name, command in known.items()
        if command is not None
    ]
    return "\n\n".join(["# Commands", _COMMANDS, *texts, ""])


def _run(shown: Shown) -> str:
    return f"```console\n$ autogen-streamtrace {shown.typed}\n{shown.printed}\n```"


def _help(command: Command, name: str) -> str:
    run = CliRunner().invoke(command, ["--help"], prog_name=f"autogen-streamtrace {name}")
    return run.output.rstrip()


def limits() -> str:
    """The catalogue of limits, by vendor. Each has its id as its anchor."""
    known = sorted(builtin(), key=lambda limit: (limit.vendor.lower(), limit.id))
    vendors = [
        f"## {vendor}\n\n" + "\n".join(map(_entry, its)) for vendor, its in groupby(known, lambda limit: limit.vendor)
    ]
    return "\n".join(["# Known limits of others", "", _LIMITS, "", *vendors])


def _entry(limit: KnownLimit) -> str:
    setting = f"[{limit.setting}]({limit.page})" if limit.page else limit.setting
    lines = [f"### {limit.id}", "", f"{setting} counts {_COUNTS[limit.counts]}. {_values(limit)}", "", "```"]
    return "\n".join([*lines, *textwrap.wrap(limit.fix, 100), "```", ""])


def _values(limit: KnownLimit) -> str:
    default = "It has no default in seconds." if limit.seconds is None else f"Its default is {limit.seconds:g} s."
    often = ", ".join(f"{value:g} s" for value in limit.typical)
    return f"{default} Often it is {often}." if often else default


def shown(file: Path) -> str:
    """The page that shows the text of a file of the repository."""
    text = file.read_text()
    fence = "````" if "```" in text else "```"
    name = file.relative_to(ROOT).as_posix()
    language = _LANGUAGES.get(file.suffix, "")
    top = ["---", "orphan: true", "nosearch: true", "---", "", f"# {name}", ""]
    return "\n".join([*top, fence + language, text.rstrip(), fence, ""])


def llms(texts: Mapping[str, str]) -> str:
    """llms.txt: each page with its first sentence, as https://llmstxt.org describes it."""
    lines = [f"- [{_title(text)}]({served(page)}): {_first_sentence(text)}" for page, text in texts.items()]
    return "\n".join(["# autogen-streamtrace", "", f"> {autogen_streamtrace.__doc__}", "", "## Pages", "", *lines, ""])


def llms_full(texts: Mapping[str, str]) -> str:
    """llms-full.txt: all pages, one after the other."""
    return "\n\n".join(f"<!-- {address} -->\n\n{text.strip()}" for address, text in texts.items()) + "\n"


def _title(text: str) -> str:
    return next(line[2:] for line in text.splitlines() if line.startswith("# "))


def _first_sentence(text: str) -> str:
    paragraph = next((part for part in text.split("\n\n")[1:] if _PROSE.match(part)), "")
    return _SENTENCE.split(" ".join(paragraph.split()))[0]
