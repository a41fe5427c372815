"""The page's own files, and the plotting library out of its package."""

import gzip
import hashlib
from functools import cache
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
_PLOTLY: Final = "plotly.js"


def routes() -> list[Route]:
    """The routes of the page's files; every other path is the page itself."""

    async def static(request: Request) -> Response:
        return answer(request, request.path_params["name"])

    async def page(request: Request) -> Response:
        return answer(request, "index.html")

    return [Route("/static/{name}", static), Route("/{path:path}", page)]


def answer(request: Request, name: str) -> Response:
    """A file of the page; 304 where the browser has it."""
    data = _content(name)
    if data is None:
        return PlainTextResponse(f"there is no {name!r}\n", 404)
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        data = _packed(name) if name == _PLOTLY else gzip.compress(data, 5)
    return Response(data, headers=headers, media_type=_KINDS[Path(name).suffix])


def _content(name: str) -> bytes | None:
    if Path(name).suffix not in _KINDS or "/" in name or "\\" in name or name.startswith("."):
        return None
    if name == _PLOTLY:
        return _plotly()
    found = resources.files("autogen_streamtrace.commands.ui") / "page" / name
    return found.read_bytes() if found.is_file() else None


@cache
def _plotly() -> bytes | None:
    """The library, read without importing plotly."""
    spec = find_spec("plotly")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        file = Path(folder) / "package_data" / "plotly.min.js"
        if file.is_file():
            return file.read_bytes()
    return None


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(_content(name) or b"", 6)
