"""Real servers in processes of their own, on loopback, and what they told of their streams.

    with uvicorn("programs.chats:app", variables) as server:
        ask(server.url + "/response/…").close()

Each is started in a session of its own, so that its workers end with it; every wait is bounded.
"""

from .processes import Server, gunicorn, nginx, uvicorn
from .verdicts import APP, GONE, LAYERS, SHUT_DOWN, Verdicts, stands_still, turn, variables

__all__ = [
    "APP",
    "GONE",
    "LAYERS",
    "SHUT_DOWN",
    "Server",
    "Verdicts",
    "gunicorn",
    "nginx",
    "stands_still",
    "turn",
    "uvicorn",
    "variables",
]
