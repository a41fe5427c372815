"""Who may ask: the host's name, the token, the methods; and the headers of every answer.

A page of another site could ask for anything on loopback, under a name that its owner lets point here. So the name that
the browser asked for is checked.
"""

import hmac
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_COOKIE: Final = "autogen_streamtrace_token"
_TOKEN: Final = "token"


class Guard:
    """Lets through what may ask.

    Args:
        app: what answers.
        hosts: names under which it may be asked; any, where there is none.
        token: what has to be known; empty where nothing has to.
        reads_only: it answers GET and HEAD alone, and to browsers, which keep the token in a cookie.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str], token: str, *, reads_only: bool) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._token = token
        self._reads_only = reads_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            return
        answer = self._refusal(scope) or self._app

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await answer(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = _name(headers.get("host", ""))
        if self._hosts and host not in self._hosts:
            problem = f"host {host!r} is not served here; ask for {', '.join(sorted(self._hosts))}"
            return JSONResponse({"error": problem}, 403)
        if self._reads_only and scope["method"] not in ("GET", "HEAD"):
            return JSONResponse({"error": f"method {scope['method']} is not allowed; allowed: GET"}, 405)
        return self._unknown(scope, headers) if self._token else None

    def _unknown(self, scope: Scope, headers: Headers) -> Response | None:
        if self._is(headers.get("authorization", "").removeprefix("Bearer ")):
            return None
        if not self._reads_only:
            problem = "the token is missing: set OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20TOKEN"
            return JSONResponse({"code": 401, "message": problem}, 401)
        if self._is(_cookie(headers.get("cookie", ""))):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if self._is(dict(query).get(_TOKEN, "")):
            rest = urlencode([(name, value) for name, value in query if name != _TOKEN])
            path = "/" + scope["path"].lstrip("/\\")
            answer = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
            answer.set_cookie(_COOKIE, self._token, httponly=True, samesite="strict")
            return answer
        problem = "The token is missing or wrong: open the address that `autogen-streamtrace ui` has printed."
        if scope["path"].startswith("/api/"):
            return JSONResponse({"error": problem}, 401)
        return HTMLResponse(f"<!doctype html><title>autogen-streamtrace</title><p>{problem}</p>", 401)

    def _is(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


def _name(host: str) -> str:
    """The name of a host header, without its port."""
    host = host.strip().lower()
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(_COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None else ""
