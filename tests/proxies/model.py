"""A model server that does what the last message asks: `python model.py PORT [KEEP]`.

The message is words such as `wait=0.2 words=9 pause=0.05 silence=5 end=fin`: seconds before the answer, pieces and the
seconds between them, seconds of silence after them. A reply ends whole, or with `end`: `fin` closes the connection.
KEEP is for how many seconds it keeps an idle connection; for ever, where it is left out.
"""

import asyncio
import json
import sys
from typing import Final

_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _event(text: str = "", finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    body = {"id": "reply", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return _chunk(b"data: %s\n\n" % json.dumps(body).encode())


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def asked(text: str) -> dict[str, str]:
    """The words of a message, as names and values."""
    return dict(word.split("=", 1) for word in text.split() if "=" in word)


async def _request(reader: asyncio.StreamReader) -> dict[str, str]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
    body = json.loads(await reader.readexactly(length))
    return asked(str(body["messages"][-1]["content"]))


async def _answer(words: dict[str, str], writer: asyncio.StreamWriter) -> bool:
    """Answers; whether the connection stays."""
    await asyncio.sleep(float(words.get("wait", 0)))
    writer.write(_HEAD)
    for number in range(int(words.get("words", 3))):
        writer.write(_event(f"word{number} "))
        await writer.drain()
        await asyncio.sleep(float(words.get("pause", 0.01)))
    await asyncio.sleep(float(words.get("silence", 0)))
    if "end" in words:
        return False
    writer.write(_event(finish="stop") + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    await writer.drain()
    return True


async def serve(port: int, keep: float | None) -> None:
    """Serves until it is ended."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _answer(await asyncio.wait_for(_request(reader), keep), writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(connection, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else None))
