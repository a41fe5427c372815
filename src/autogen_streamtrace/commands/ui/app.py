"""The page's routes: its files, and the JSON that it reads."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from autogen_streamtrace.commands.store.reading import Reader, Readers
from autogen_streamtrace.commands.ui import assets
from autogen_streamtrace.commands.ui.causes.kept import Causes
from autogen_streamtrace.commands.ui.causes.marks import marks
from autogen_streamtrace.commands.ui.causes.runbooks import runbook
from autogen_streamtrace.commands.ui.live import Live
from autogen_streamtrace.commands.ui.views import filters as filtering
from autogen_streamtrace.commands.ui.views.compare import compare
from autogen_streamtrace.commands.ui.views.cuts import cuts
from autogen_streamtrace.commands.ui.views.facets import facets
from autogen_streamtrace.commands.ui.views.filters import Filters, ParameterError
from autogen_streamtrace.commands.ui.views.one_turn import one_turn
from autogen_streamtrace.commands.ui.views.turn_list import how_many, turn_list
from autogen_streamtrace.limits.catalogue import KnownLimit

Document = dict[str, Any]

_AT_ONCE: Final = 4
"""Views that are worked on at once."""
_WAITING: Final = 64
"""Views that may wait for their turn."""
_QUIET: Final = 10.0
"""Seconds without a change after which a live connection gets a sign of life."""


class BusyError(Exception):
    """Too much is asked for at once."""


class NotFoundError(Exception):
    """What was asked for does not exist. The message names it."""


class Views:
    """Answers what the page asks.

    Args:
        readers: of the store.
        live: what is open now.
        causes: the findings, kept fresh.
        meta: what never changes while this runs.
        limits: the catalogue.
        store: what is known of the store itself.
    """

    def __init__(
        self,
        readers: Readers,
        live: Live,
        causes: Causes,
        meta: Document,
        limits: Sequence[KnownLimit],
        store: Callable[[], Document],
    ) -> None:
        self._readers = readers
        self._live = live
        self._causes = causes
        self._meta = meta
        self._limits = limits
        self._store = store
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    def app(self) -> Starlette:
        """The application."""
        routes = [
            Route("/api/meta", self._answering(self._get_meta)),
            Route("/api/store", self._answering(self._get_store)),
            Route("/api/now", self._answering(self._get_now)),
            Route("/api/now/events", self._get_events),
            Route("/api/causes", self._answering(self._get_causes)),
            Route("/api/runbook/{name}", self._answering(self._get_runbook)),
            Route("/api/facets", self._reading(lambda reader, request: facets(reader, _filters(request)))),
            Route("/api/cuts", self._reading(self._cuts)),
            Route("/api/turns", self._reading(_turns)),
            Route("/api/turn/{trace}", self._reading(self._turn)),
            Route("/api/compare", self._reading(self._compare)),
            Route("/api/{path:path}", self._answering(_nothing)),
            *assets.routes(),
        ]
        return Starlette(routes=routes)

    def _answering(self, answer: Callable[[Request], Awaitable[Document]]) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            try:
                return _json(await answer(request))
            except ParameterError as error:
                return _json({"error": str(error)}, 400)
            except BusyError as error:
                return _json({"error": str(error)}, 429)
            except NotFoundError as error:
                return _json({"error": str(error)}, 404)
            except sqlite3.Error as error:
                return _json({"error": f"the store {self._readers.file} cannot be read now: {error}"}, 503)

        return handle

    def _reading(self, view: Callable[[Reader, Request], Document]) -> Callable[[Request], Awaitable[Response]]:
        def read(request: Request) -> Document:
            with self._readers.one() as reader:
                return view(reader, request)

        async def answer(request: Request) -> Document:
            if self._waiting >= _WAITING:
                raise BusyError("too many requests at once; ask again in a second")
            self._waiting += 1
            try:
                async with self._places:
                    return await run_in_threadpool(read, request)
            finally:
                self._waiting -= 1

        return self._answering(answer)

    async def _get_meta(self, request: Request) -> Document:
        return self._meta

    async def _get_store(self, request: Request) -> Document:
        return await run_in_threadpool(self._store)

    async def _get_now(self, request: Request) -> Document:
        chosen = _filters(request)
        self._causes.refresh(chosen)
        return await run_in_threadpool(self._live.now, chosen)

    async def _get_causes(self, request: Request) -> Document:
        return await self._causes.of(_filters(request))

    async def _get_runbook(self, request: Request) -> Document:
        found = runbook(request.path_params["name"])
        if found is None:
            raise NotFoundError(f"there is no runbook {request.path_params['name']!r}")
        return found

    async def _get_events(self, request: Request) -> Response:
        try:
            chosen = _filters(request)
        except ParameterError as error:
            return _json({"error": str(error)}, 400)
        if self._live.full:
            return _json({"error": "too many live connections; close another page"}, 429)
        return StreamingResponse(
            self._events(chosen), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def _events(self, chosen: Filters) -> AsyncIterator[bytes]:
        last = b""
        with self._live.watched() as changes:
            while not self._live.ended:
                self._causes.refresh(chosen)
                found = await run_in_threadpool(self._live.now, chosen)
                at = found.pop("at")
                data = orjson.dumps(found)
                if data != last:
                    last = data
                    yield b"event: now\ndata: " + orjson.dumps({"at": at, **found}) + b"\n\n"
                elif not await changes.wait(_QUIET):
                    yield b": quiet\n\n"
                    continue
                await changes.wait(_QUIET)

    def _cuts(self, reader: Reader, request: Request) -> Document:
        chosen = _filters(request)
        return self._marked(cuts(reader, chosen), chosen)

    def _marked(self, found: Document, chosen: Filters) -> Document:
        causes = self._causes.known(chosen)
        return {**found, "marks": marks(found, causes["findings"], self._limits), "summary": causes["summary"]}

    def _compare(self, reader: Reader, request: Request) -> Document:
        pairs = request.query_params.multi_items()
        first, second = filtering.read(pairs, "a."), filtering.read(pairs, "b.")
        found = compare(reader, first, second)
        return {**found, "a": self._marked(found["a"], first), "b": self._marked(found["b"], second)}

    def _turn(self, reader: Reader, request: Request) -> Document:
        trace = request.path_params["trace"].lower()
        found = one_turn(reader, self._live, trace)
        if found is None:
            raise NotFoundError(f"nothing of the turn {trace!r} is stored; it may be too old, or not have arrived yet")
        found["causes"] = self._causes.with_trace(trace)
        return found


def _filters(request: Request) -> Filters:
    return filtering.read(request.query_params.multi_items())


def _turns(reader: Reader, request: Request) -> Document:
    asked = request.query_params
    limit = asked.get("limit", "100")
    if not limit.isdecimal() or len(limit) > 4:
        raise ParameterError(f"limit is {limit!r}; write a number up to 500")
    chosen, early, after = _filters(request), asked.get("early") in ("1", "true"), asked.get("before", "")
    order = asked.get("order", "newest")
    found = turn_list(reader, chosen, order=order, early=early, after=after, limit=int(limit))
    return found if after else {**found, "total": how_many(reader, chosen, early=early)}


async def _nothing(request: Request) -> Document:
    raise NotFoundError(f"there is no {request.url.path!r}")


def _json(document: Document, status: int = 200) -> Response:
    return Response(
        orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS),
        status,
        {"Cache-Control": "no-store"},
        media_type="application/json",
    )
