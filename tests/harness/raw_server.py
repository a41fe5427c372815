"""A server on loopback that answers with the very bytes that a test gives it."""

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

Then = Literal["keep", "fin", "reset"]
"""What becomes of the connection: it stays open · is closed · is reset."""

WAIT: Final = 30.0
"""Seconds after which a test hangs."""
_LENGTH: Final = re.compile(rb"(?i)content-length: *(\d+)").search
_RESET: Final = struct.pack("ii", 1, 0)


@contextmanager
def raw_server(*answers: tuple[bytes, Then]) -> Iterator[str]:
    """Its URL. Each request gets the next answer; the connection stays open until the test is over, if it is kept."""
    left = list(answers)
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                kept.append(connection)
                threading.Thread(target=_answer, args=(connection, left), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(WAIT)
            for connection in kept:
                connection.close()


def _answer(connection: socket.socket, left: list[tuple[bytes, Then]]) -> None:
    while left and _asked(connection):
        answer, then = left.pop(0)
        with contextlib.suppress(OSError):  # its client, or the test, is over already
            connection.sendall(answer)
            if then == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if then != "keep":
            connection.close()
            return


def _asked(connection: socket.socket) -> bool:
    """A whole request has come."""
    got, whole = b"", -1
    try:
        while whole < 0 or len(got) < whole:
            part = connection.recv(65536)
            if not part:
                return False
            got += part
            if whole < 0 and b"\r\n\r\n" in got:
                length = _LENGTH(got)
                whole = got.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
    except OSError:
        return False
    return True
