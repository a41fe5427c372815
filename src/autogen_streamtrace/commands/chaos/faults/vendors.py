"""How each vendor refuses and cuts, from ``vendors.toml``."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from autogen_streamtrace.commands.chaos.wire.message import Head, Lines, phrase
from autogen_streamtrace.commands.chaos.wire.passage import Passage

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

How = Literal["fin", "rst", "stream", "end"]

_FILE: Final = Path(__file__).with_name("vendors.toml")


@dataclass(frozen=True)
class Vendor:
    """What somebody's proxy or server does to a reply."""

    adds: Lines = field(default_factory=list)
    """Header lines of an answer that it passes on."""
    refuses: Lines = field(default_factory=list)
    """Header lines of an answer of its own."""
    page: str = ""
    """The body of that."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Its own words for a status."""
    why: Mapping[str, str] = field(default_factory=dict)
    """A sentence of the page, by status."""
    cut: How = "stream"
    """What it does in mid-reply."""
    cut_http2: How | None = None
    """The same over HTTP/2, where it differs."""
    compresses: bool = False
    """What it holds back it compresses, for a client that takes gzip."""

    def refuse(self, passage: Passage, status: int) -> None:
        """Answers in place of the model."""
        code = str(status)
        reason = self.reasons.get(code, phrase(status))
        page = self.page.format(status=status, reason=reason, why=self.why.get(code, reason)).encode()
        lines = [*self.refuses, (b"content-length", b"%d" % len(page))]
        passage.answer_with(Head(status, lines, reason.encode()), page)

    def strike(self, passage: Passage) -> None:
        """Cuts in mid-reply."""
        cut = self.cut_http2 or self.cut if passage.request.version == "2" else self.cut
        if cut == "end":
            passage.end()
        else:
            passage.cut(cut)


def vendor(name: str) -> Vendor:
    """The vendor of this name; one that adds nothing where it is not known."""
    return _all().get(name, Vendor())


@cache
def _all() -> dict[str, Vendor]:
    read = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {name: _vendor(table) for name, table in read.items()}


def _vendor(table: Mapping[str, Any]) -> Vendor:
    lines = {key: _lines(table.get(key, ())) for key in ("adds", "refuses")}
    return Vendor(**{**table, **lines})


def _lines(pairs: Any) -> Lines:
    return [(str(name).encode(), str(value).encode()) for name, value in pairs]
