"""Answers that are no reply: an HTTP status with an error, or a page where a stream was asked for."""

from typing import Final

from autogen_streamtrace.commands.chaos.faults.fault import Dose, Strike
from autogen_streamtrace.commands.chaos.model.asked import Asked
from autogen_streamtrace.commands.chaos.model.reply import refusal
from autogen_streamtrace.commands.chaos.wire.message import Head
from autogen_streamtrace.commands.chaos.wire.passage import Passage

STATUSES: Final = (400, 401, 403, 404, 408, 409, 429, 500, 502, 503, 504, 529)
RETRY_AFTER_MS: Final = b"20"
_PAGE: Final = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>\n"


def refuse(passage: Passage, status: int, *lines: tuple[bytes, bytes]) -> None:
    """Answers with an HTTP error in the words of the API that was asked."""
    body = refusal(Asked.of(passage.request).api, status)
    told = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    passage.answer_with(Head(status, [*passage.added, *told, *lines]), body)


def status(code: int) -> Strike:
    """This status."""

    async def strike(passage: Passage, dose: Dose) -> None:
        after = dose.options.get("retry_after")
        refuse(passage, code, *([(b"retry-after", after.encode())] if after else []))

    return strike


async def retry(passage: Passage, dose: Dose) -> None:
    """503, and a client may ask again at once."""
    refuse(passage, 503, (b"retry-after-ms", RETRY_AFTER_MS))


async def no_stream(passage: Passage, dose: Dose) -> None:
    """A page with status 200, as a captive portal or a login sends it."""
    lines = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(_PAGE))]
    passage.answer_with(Head(200, lines), _PAGE)
