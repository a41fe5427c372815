"""Ports for servers that cannot choose one themselves."""

import random
import socket
from typing import Final

HOST: Final = "127.0.0.1"
_RANGE: Final = (20_000, 32_000)
_random: Final = random.SystemRandom()  # workers of one run are not to choose alike
_taken: Final[list[socket.socket]] = []
"""Sockets of UDP, with the numbers of the ports of TCP that were given."""


def free_port() -> int:
    """A loopback port that nobody listens on, and that no test of any process is given as long as this one lives.

    From below the range from which the kernel takes ports for connections and for servers that ask for any: none of
    those can come in between.
    """
    while True:
        port = _random.randrange(*_RANGE)
        taken = socket.socket(type=socket.SOCK_DGRAM)
        try:
            taken.bind((HOST, port))
            with socket.socket() as probe:
                probe.bind((HOST, port))
        except OSError:
            taken.close()
            continue
        _taken.append(taken)
        return port
