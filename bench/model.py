"""A model server that sends a whole reply at once: `/<chunks>/v1/chat/completions`. Prints its port.

So the client always finds its next chunk waiting. Were the server slower than the client, how many chunks come with
one read, and with it what a chunk costs, would depend on the machine's load.
"""

import asyncio
import functools
import re
import sys

from autogen_streamtrace.commands.chaos.model.completions import EventStream

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
ASKED = re.compile(rb"POST /(\d+)/")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@functools.cache
def reply(chunks: int) -> bytes:
    form = EventStream()
    parts = [*[form.text("word ")] * chunks, form.finish("stop"), form.usage(), form.done]
    return HEAD + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(LENGTH.search(head)[1]))
            writer.write(reply(int(ASKED.match(head)[1])))
            await writer.drain()
    except (EOFError, ConnectionError):
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
