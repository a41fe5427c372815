"""Finish reasons that stand in no table: counted, and each named once."""

import logging
from typing import Final

MOST: Final = 100
"""Words that are named: a server may send any text."""

logger = logging.getLogger(__name__)


class UnknownReasons:
    """What models' replies ended with, where nobody knows what that means."""

    def __init__(self) -> None:
        self.count = 0
        self._named: set[str] = set()

    def add(self, word: str, model: str) -> None:
        """A reply of ``model`` ended with this word."""
        self.count += 1
        if word in self._named or len(self._named) >= MOST:
            return
        self._named.add(word)
        logger.warning(
            "Finish reason %r of the model %r is in no table: its replies are told as completed. Say what it means in a"
            " file that the setting finish_reasons_file names. This is said once for each word.",
            word,
            model,
        )
