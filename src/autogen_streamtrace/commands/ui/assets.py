"""The page's own files, and the plotting library out of its package."""

import gzip
import hashlib
from functools import cache, cached_property
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".json": "application/json",
}
PLOTLY: Final = "plotly.js"


def routes() -> list[Route]:
    """The routes of the page's files; every other path is the page itself."""

    async def static(request: Request) -> Response:
        return answer(request, request.path_params["name"])

    async def page(request: Request) -> Response:
        return answer(request, "index.html")

    return [Route("/static/{name:path}", static), Route("/{path:path}", page)]


def answer(request: Request, name: str) -> Response:
    """A file of the page; 304 where the browser has it."""
    found = _files().get(name)
    if found is None:
        return PlainTextResponse("there is no such file\n", 404)
    headers = {"ETag": found.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if found.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    data = found.data
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        data = found.packed
    return Response(data, headers=headers, media_type=_KINDS[Path(name).suffix])


class _File:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'

    @cached_property
    def packed(self) -> bytes:
        """With gzip."""
        return gzip.compress(self.data, 6)


@cache
def _files() -> dict[str, _File]:
    """Every file by its path: no path of a request ever reaches the disk."""
    found = {name: _File(data) for name, data in page_files().items()}
    return {**found, PLOTLY: _File(plotly())}


def page_files() -> dict[str, bytes]:
    """The page's own files, by their paths."""
    found: dict[str, bytes] = {}
    waiting = [("", resources.files("autogen_streamtrace.commands.ui") / "page")]
    while waiting:
        path, each = waiting.pop()
        if each.is_dir():
            waiting += [(f"{path}/{one.name}".lstrip("/"), one) for one in each.iterdir()]
        elif Path(path).suffix in _KINDS:
            found[path] = each.read_bytes()
    return found


def plotly() -> bytes:
    """The plotting library, read without importing plotly; empty where it is not installed."""
    spec = find_spec("plotly")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        file = Path(folder) / "package_data" / "plotly.min.js"
        if file.is_file():
            return file.read_bytes()
    return b""
