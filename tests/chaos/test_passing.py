"""Without a fault nothing changes: real clients, every form of a body, and no event is held back."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import httpx
import ollama
import openai
import pytest
import trustme
from chaos.chaotic import CHAT, client, proxy, see
from harness.raw_server import raw_server
from hypothesis import given, settings
from hypothesis import strategies as st

from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.commands.chaos.server import listen, tls_context
from autogen_streamtrace.commands.chaos.service import Service
from autogen_streamtrace.commands.chaos.wire.upstream import Upstream, UpstreamError

pytestmark = pytest.mark.once

WORDS = "Your claim has arrived and will be paid within five working days. "
ASKED: Any = [{"role": "user", "content": "Where is my claim?"}]


def by_openai(url: str, **options: Any) -> str:
    http = openai.DefaultHttpxClient(trust_env=False, **options)
    with openai.OpenAI(api_key="none", base_url=f"{url}/v1", max_retries=0, http_client=http) as client:
        stream = client.chat.completions.create(model="gpt-4o", messages=ASKED, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def by_responses(url: str, **options: Any) -> str:
    http = openai.DefaultHttpxClient(trust_env=False, **options)
    client = openai.OpenAI(api_key="none", base_url=f"{url}/v1", max_retries=0, http_client=http)
    with client, client.responses.stream(model="gpt-4o", input="Where is my claim?") as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert stream.get_final_response().output_text == text
    return text


def by_anthropic(url: str, **options: Any) -> str:
    http = anthropic.DefaultHttpxClient(trust_env=False, **options)
    client = anthropic.Anthropic(api_key="none", base_url=url, max_retries=0, http_client=http)
    with client, client.messages.stream(model="claude", max_tokens=9, messages=ASKED) as stream:
        return "".join(stream.text_stream)


def by_ollama(url: str, **options: Any) -> str:
    client = ollama.Client(url, trust_env=False, **options)
    text = "".join(part.message.content or "" for part in client.chat(model="llama", messages=ASKED, stream=True))
    client._client.close()
    return text


@pytest.mark.parametrize("new", [False, True], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("ask", [by_openai, by_responses, by_anthropic, by_ollama])
def test_a_real_client_gets_the_reply(ask: Callable[..., str], new: bool) -> None:
    with ModelServer() as model, proxy(upstream=model.root()) as through:
        assert ask(through.url, http1=not new, http2=new) == WORDS
        assert through.ended().end == "passed"


@pytest.mark.parametrize(("body", "end"), [(b"data: [DONE]\n\n", "passed"), (b"data: {}\n\n", "client left")])
def test_a_client_may_leave_at_the_replys_last_word_and_not_wait_for_https_end(body: bytes, end: str) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    with raw_server((head + b"%x\r\n%b\r\n" % (len(body), body), "keep")) as model, proxy(upstream=model) as through:
        with client() as http, http.stream("POST", f"{through.url}/v1/chat/completions", json=CHAT) as response:
            assert next(response.iter_raw()) == body
        assert through.ended().end == end


def test_tls_on_both_sides(tmp_path: Any) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    tls = tls_context(str(tmp_path / "server.pem"), str(tmp_path / "server.pem"))
    with proxy(tls=tls) as model, proxy(upstream=model.url, tls=tls, ca=str(tmp_path / "ca.pem")) as through:
        import ssl

        trusted = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        with httpx.Client(trust_env=False, http2=True, verify=trusted) as client:
            answer = client.post(f"{through.url}/v1/chat/completions", json={"messages": ASKED, "stream": True})
    assert (answer.http_version, answer.text[-14:]) == ("HTTP/2", "data: [DONE]\n\n")


def test_a_certificate_of_another_host_is_told_as_such(tmp_path: Any) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("elsewhere.example").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    tls = tls_context(str(tmp_path / "server.pem"), str(tmp_path / "server.pem"))
    with proxy(tls=tls) as model, pytest.raises(UpstreamError, match=r"not trusted \(IP address mismatch.*\)$"):
        asyncio.run(Upstream.of(model.url, str(tmp_path / "ca.pem")).check())


def test_an_upstream_that_is_down_is_named() -> None:
    with proxy(upstream="http://127.0.0.1:9") as through:
        answer = httpx.post(f"{through.url}/v1/chat/completions", json={}, trust_env=False)
    assert answer.status_code == 502
    assert "http://127.0.0.1:9 cannot be reached" in answer.json()["error"]["message"]


# Every form of a body, piece by piece: the next one is sent only when the last one has arrived.

FRAMES = ("chunked", "length", "close")


@asynccontextmanager
async def upstream(frame: str, pieces: list[bytes], arrived: asyncio.Semaphore) -> AsyncIterator[int]:
    """Sends each piece when the one before it has arrived."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        lines = {"chunked": "Transfer-Encoding: chunked", "length": f"Content-Length: {sum(map(len, pieces))}"}
        head = ["HTTP/1.1 200 Fine", "Content-Type: text/event-stream", "X-Own: Yes", lines.get(frame, "X-Two: 2")]
        writer.write("\r\n".join([*head, "", ""]).encode())
        for piece in pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if frame == "chunked" else piece)
            await arrived.acquire()
        writer.write(b"0\r\n\r\n" if frame == "chunked" else b"")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def read(url: str, new: bool, pieces: list[bytes], arrived: asyncio.Semaphore) -> tuple[httpx.Response, bytes]:
    """Reads a body, and tells of each piece as soon as all of it is there."""
    body, told = b"", 0
    client = httpx.AsyncClient(trust_env=False, http1=not new, http2=new)
    async with client, client.stream("GET", url, timeout=20) as response:
        async for part in response.aiter_raw():
            body += part
            while told < len(pieces) and len(body) >= sum(map(len, pieces[: told + 1])):
                told += 1
                arrived.release()
    return response, body


async def direct_and_through(frame: str, new: bool, pieces: list[bytes]) -> list[tuple[Any, ...]]:
    """What a client sees without the proxy and with it."""
    arrived = asyncio.Semaphore(0)
    async with upstream(frame, pieces, arrived) as port:
        url = f"http://127.0.0.1:{port}"
        listener = await listen(Service(upstream=Upstream.of(url)), "127.0.0.1", 0)
        seen = []
        for to, two in ((url, False), (f"http://127.0.0.1:{listener.port}", new)):
            response, body = await read(to, two, pieces, arrived)
            kept = {k: v for k, v in response.headers.items() if k not in ("transfer-encoding", "connection")}
            seen.append((response.status_code, kept, body))
        await listener.close()
    return seen


event = st.integers(1, 70_000).map(lambda size: b"data: " + b"x" * size + b"\n\n")


@pytest.mark.parametrize("new", [False, True], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("frame", FRAMES)
@settings(max_examples=8)
@given(pieces=st.lists(st.one_of(event, st.binary(min_size=1, max_size=99)), min_size=1, max_size=8))
def test_every_piece_passes_as_it_is_and_at_once(frame: str, new: bool, pieces: list[bytes]) -> None:
    direct, through = asyncio.run(direct_and_through(frame, new, pieces))
    assert through == direct


def test_a_compressed_body_passes_as_it_is() -> None:
    piece = gzip.compress(b"data: 1\n\n")
    direct, through = asyncio.run(direct_and_through("chunked", False, [piece]))
    assert through == direct


def test_a_cut_of_the_upstream_is_passed_on() -> None:
    with ModelServer() as model, proxy(upstream=model.root("fin")) as through:
        seen = see(f"{through.url}/v1/chat/completions")
        end = through.last().end
    assert (seen.error, end) == ("RemoteProtocolError", "upstream broke")
