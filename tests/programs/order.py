"""``order.py instrument`` patches before anything is imported, ``order.py import`` after; both then watch a turn."""

import sys
from importlib import import_module

from programs.watching import watching

from autogen_streamtrace.commands.chaos.model_server import ModelServer

if sys.argv[1] == "import":
    import_module("programs.patched")

with watching() as told:
    assert ("autogen_agentchat" in sys.modules) is (sys.argv[1] == "import")
    from programs.clients import Client
    from programs.patched import http_parents, request, turn

    turn(Client())
    assert told.parent("chat Client") == "invoke_agent writer"
    with ModelServer() as server:
        request(server)
    assert http_parents(told) == ["POST", "POST"]
