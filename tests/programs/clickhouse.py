"""`clickhouse.py FOLDER PORT`: ClickHouse's engine behind what clickhouse-go asks of its server's HTTP interface.

A mock of the interface alone: no users, settings or compression. Every statement runs in the engine as it came.
https://clickhouse.com/docs/interfaces/http
"""

import json
import struct
import sys
import threading
from typing import Any

import uvicorn
from chdb import ChdbError
from chdb.session import Session
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

folder, port = sys.argv[1:]
session = Session(folder)
one_at_a_time = threading.Lock()
"""The library, unlike the server, refuses a statement while data comes in."""


async def answer(request: Request) -> Response:
    """A statement in the URL with its data as the body, or a statement as the body."""
    asked, body = request.query_params, await request.body()
    parameters = {name.removeprefix("param_"): asked[name] for name in asked if name.startswith("param_")}
    try:
        if "query" in asked:
            await run_in_threadpool(insert, asked["query"], body)
        else:
            return Response(await run_in_threadpool(ask, body.decode(), asked["default_format"], parameters))
    except (ChdbError, RuntimeError) as error:
        return Response(str(error), 500)
    return Response()


def ask(statement: str, form: str, parameters: dict[str, str]) -> bytes:
    """What the engine answers, in a format of its own; in the one that clickhouse-go reads, see ``native``."""
    with one_at_a_time:
        written = "JSONCompact" if form == "Native" else form
        told = bytes(session.query(statement, written, params=parameters).bytes())
    return native(**json.loads(told)) if form == "Native" and told else told


def insert(statement: str, data: bytes) -> None:
    """`INSERT INTO … FORMAT Native`, whose data the engine reads itself."""
    head, _, form = statement.rpartition(" FORMAT ")
    with one_at_a_time, session.send_insert(head, form) as stream:
        stream.append(data)
        stream.finish()


def native(meta: list[dict[str, str]], data: list[list[Any]], **_: object) -> bytes:
    """One block with what a client's protocol version adds to it: the engine alone writes none of that.

    The client asks for texts and for one 32-bit number, the server's revision. https://clickhouse.com/docs/native-protocol/server#data
    """
    block = b"\x01\x00\x02" + struct.pack("<i", -1) + b"\x00" + number(len(meta)) + number(len(data))
    for at, column in enumerate(meta):
        own_encoding = b"\x00"
        block += text(column["name"]) + text(column["type"]) + own_encoding
        for row in data:
            block += struct.pack("<I", row[at]) if column["type"] == "UInt32" else text(row[at])
    return block


def text(told: str) -> bytes:
    encoded = told.encode()
    return number(len(encoded)) + encoded


def number(value: int) -> bytes:
    """LEB128."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


routes = [Route("/ping", lambda request: Response("Ok.\n")), Route("/", answer, methods=["POST"])]
uvicorn.run(Starlette(routes=routes), port=int(port), log_level="warning")
