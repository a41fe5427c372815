"""An OTLP receiver that keeps nothing: ``python bench/receiver.py grpc|http/protobuf``. Prints its port."""

import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Grpc:
    """Answers every method with an empty message."""

    def __init__(self) -> None:
        import grpc

        class Every(grpc.GenericRpcHandler):
            def service(self, details: Any) -> Any:
                return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")

        server = grpc.server(ThreadPoolExecutor(4), handlers=[Every()])
        self.port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.server = server


class Answer(BaseHTTPRequestHandler):
    """Answers every request with an empty message."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


class Http:
    """The same over HTTP."""

    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.port = self.server.server_address[1]
        Thread(target=self.server.serve_forever, daemon=True).start()


if __name__ == "__main__":
    running = {"grpc": Grpc, "http/protobuf": Http}[sys.argv[1]]()
    print(running.port, flush=True)
    sys.stdin.read()
