"""What `autogen-streamtrace ui` takes in, without loss, on one core; and how long each view takes when it is full.

python bench/ui.py [STREAMS] [SPANS A SECOND] [SECONDS]

The server runs on the first core, the senders on the others. First they send as fast as they are answered, until the
store has so many streams; then, for so many seconds, at the given rate, while every view is asked for.
"""

import base64
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psutil
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import synthetic
from synthetic import Turn, cut

SENT_AT_ONCE: Final = 171
"""Turns of three spans in a request: about what the SDK sends at once."""
MORE: Final = {f"http.response.header.x-padding-{number}": "0123456789abcdef" * 3 for number in range(4)}
VIEWS: Final = (
    "now",
    "cuts?since=all",
    "cuts?since=all&outcome=disconnected",
    "cuts?since=all&agent=support_agent&host=models.example",
    "facets?since=all",
    "turns?since=all",
    "turns?since=all&order=silent&early=1",
    "compare?since=all&a.outcome=completed&b.outcome=disconnected",
    "causes?since=all",
)


def template() -> ExportTraceServiceRequest:
    """A request; six turns in a hundred are cut, by two limits and by chance."""
    random_ = random.Random(7)
    turns = []
    for _ in range(SENT_AT_ONCE):
        draw = random_.random()
        if draw < 0.94:
            turns.append(Turn(duration=random_.lognormvariate(2, 0.6), at=0.0, more=MORE))
        elif draw < 0.97:
            turns.append(cut(60 + random_.uniform(0, 0.2), intermediary="nginx", at=0.0, more=MORE))
        elif draw < 0.99:
            turns.append(cut(0.02, duration=300.2, intermediary="google_front_end", at=0.0, more=MORE))
        else:
            turns.append(cut(random_.expovariate(0.2), duration=random_.uniform(1, 100), at=0.0, more=MORE))
    spans = [span for number, turn in enumerate(turns) for span in synthetic.spans(turn, number)]
    for span in spans:
        for name in ("traceId", "spanId", "parentSpanId"):
            span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return json_format.ParseDict(json.loads(synthetic.request(spans)), ExportTraceServiceRequest())


def requests(first: int) -> Iterator[bytes]:
    """Requests whose turns end now, each with ids of its own."""
    message = template()
    spans = message.resource_spans[0].scope_spans[0].spans
    lengths = [span.end_time_unix_nano - span.start_time_unix_nano for span in spans]
    number = (first + 1) << 32
    while True:
        now = time.time_ns()
        for at, span in enumerate(spans):
            turn = number + at // 3
            span.trace_id = (turn * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).to_bytes(16, "big")
            span.end_time_unix_nano = now
            span.start_time_unix_nano = now - lengths[at]
        number += SENT_AT_ONCE
        yield message.SerializeToString()


def send(address: str, sender: int, until: list[int], rate: float, sent: list[int]) -> None:
    """Sends until so many spans are stored, in all; at a rate where one is given."""
    host, _, port = address.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    began = time.monotonic()
    own = 0
    for body in requests(sender):
        if sum(sent) >= until[0]:
            return
        connection.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
        answer = connection.getresponse()
        answer.read()
        if answer.status == 429:
            time.sleep(0.05)
            continue
        assert answer.status == 200, answer.status
        own += 3 * SENT_AT_ONCE
        sent[sender] = own
        if rate:
            time.sleep(max(0.0, began + own / rate - time.monotonic()))


class Watch(threading.Thread):
    """The CPU time and the memory of a process and its children."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(process)
        self.peak = 0

    def run(self) -> None:
        while True:
            try:
                family = [self._process, *self._process.children(recursive=True)]
                self.peak = max(self.peak, sum(each.memory_full_info().pss for each in family))
            except psutil.Error:
                pass
            time.sleep(0.3)

    def cpu(self) -> float:
        used = [each.cpu_times() for each in [self._process, *self._process.children(recursive=True)]]
        return sum(each.user + each.system for each in used)


def get(page: str, view: str) -> tuple[float, Any]:
    """Seconds, and the answer."""
    host, _, port = page.removeprefix("http://").rstrip("/").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    began = time.perf_counter()
    connection.request("GET", f"/api/{view}")
    found = json.loads(connection.getresponse().read())
    return time.perf_counter() - began, found


def on_the_first_core() -> None:
    os.sched_setaffinity(0, {0})


def main() -> None:
    streams = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else 3000.0
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 10.0
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "autogen_streamtrace", "ui", "--no-browser", "--store", folder]
        command += ["--port", "0", "--grpc-port", "0", "--http-port", "0", "--dir", folder, "--keep-mb", "8000"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=on_the_first_core)
        try:
            said = "".join(iter(lambda: process.stdout.readline(), "Ctrl-C ends it.\n"))
            page = said.split()[2]
            receiver = said.split("gRPC), ")[1].split()[0]
            measure(process.pid, page, receiver, streams, rate, seconds)
            print(f"store: {sum(each.stat().st_size for each in Path(folder).glob('streams*')) / 1e6:.0f} MB")
        finally:
            process.terminate()
            process.wait(30)


def measure(process: int, page: str, receiver: str, streams: int, rate: float, seconds: float) -> None:
    watch = Watch(process)
    watch.start()
    cpu, began = watch.cpu(), time.monotonic()
    sent = [0, 0, 0, 0]
    pump(receiver, range(3), [streams], 0.0, sent)
    used = watch.cpu() - cpu
    print(f"{sum(sent):,} spans as fast as they are answered: {sum(sent) / (time.monotonic() - began):,.0f} a second,")
    print(f"  {sum(sent) / used:,.0f} a second of its CPU")
    stored = get(page, "store")[1]
    print(
        f"  stored: {stored['streams']:,}, lost: {sum(sent) - stored['streams']:,}; memory: {watch.peak / 1e6:.0f} MB"
    )
    ask(page, "at rest")
    cpu, began, before = watch.cpu(), time.monotonic(), sum(sent)
    sender = threading.Thread(target=pump, args=(receiver, [3], [before + int(seconds * rate)], rate, sent))
    sender.start()
    ask(page, f"at {rate:,.0f} spans a second")
    sender.join()
    took, used = time.monotonic() - began, watch.cpu() - cpu
    print(f"{sum(sent) - before:,} spans in {took:.1f} s beside that: {used / took:.0%} of a core")
    stored = get(page, "store")[1]
    print(f"  lost: {sum(sent) - stored['streams']:,}; memory of all its processes: {watch.peak / 1e6:.0f} MB")


def pump(receiver: str, senders: Any, until: list[int], rate: float, sent: list[int]) -> None:
    threads = [threading.Thread(target=send, args=(receiver, each, until, rate, sent)) for each in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ask(page: str, when: str) -> None:
    """Prints how long each view takes: the median of five."""
    trace = get(page, "turns?limit=1")[1]["turns"][0]["trace"]
    print(f"views {when}, in ms (median of five, slowest):")
    for view in (*VIEWS, f"turn/{trace}"):
        times = sorted(get(page, view)[0] for _ in range(5))
        print(f"  {times[2] * 1e3:6.0f} {times[-1] * 1e3:6.0f}  {view}")


if __name__ == "__main__":
    main()
