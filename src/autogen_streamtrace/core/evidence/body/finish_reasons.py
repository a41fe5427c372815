"""What a finish reason means: a table that is data, ``finish_reasons.toml`` beside this file, and a user's own."""

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Meaning = Literal["done", "length", "filtered", "failed", "unknown"]
"""done: the reply is whole · length: its token limit · filtered: the provider's filter · failed: the provider failed ·
unknown: the word is in no table, and means done."""

BUILTIN: Final = Path(__file__).with_name("finish_reasons.toml")

_ALLOWED: Final = tuple(meaning for meaning in get_args(Meaning) if meaning != "unknown")


class FinishReasonsError(ValueError):
    """A file of finish reasons that cannot be used. The message names the file, the key and what is allowed."""


class FinishReasons:
    """Meanings by word, without regard to case."""

    def __init__(self, words: Mapping[str, Meaning]) -> None:
        self._words = words

    def meaning(self, word: str | None) -> Meaning | None:
        """What a finish reason means; None where there is none."""
        return self._words.get(word.casefold(), "unknown") if word is not None else None

    @property
    def own(self) -> dict[str, Meaning]:
        """The words that the table that ships lacks, or to which it gives another meaning."""
        shipped = _builtin()
        return {word: meaning for word, meaning in self._words.items() if shipped.get(word) != meaning}


def load(*paths: str | Path) -> FinishReasons:
    """The words of these files, then the built-in ones that they do not name anew.

    Args:
        paths: TOML files in the form of the built-in one.

    Raises:
        FinishReasonsError: a file that cannot be read, a key that is no meaning, or a value that is no list of words.
    """
    words = dict(_builtin())
    for path in paths:
        words |= _read(Path(path))
    return FinishReasons(words)


def with_own(words: Mapping[str, Meaning]) -> FinishReasons:
    """The table that ships, and these words before it, as ``FinishReasons.own`` gives them."""
    return FinishReasons({**_builtin(), **words})


@cache
def _builtin() -> Mapping[str, Meaning]:
    return _read(BUILTIN)


def _read(path: Path) -> dict[str, Meaning]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FinishReasonsError(f"finish reasons file {path}: {error}") from None
    words: dict[str, Meaning] = {}
    for meaning, listed in document.items():
        if meaning not in _ALLOWED:
            raise FinishReasonsError(
                f"finish reasons file {path}: there is no meaning {meaning!r}; known: {', '.join(_ALLOWED)}"
            )
        if not isinstance(listed, list) or not all(isinstance(word, str) and word for word in listed):
            raise FinishReasonsError(
                f"finish reasons file {path}: {meaning} = {listed!r} is not allowed; allowed: a list of words"
            )
        words |= {word.casefold(): meaning for word in listed}
    return words
