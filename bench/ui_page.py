"""The page of `ui` in a real Chromium, on a store of a million streams: what each view takes, and what is wrong in it.

python bench/ui_page.py [STREAMS] [FOLDER FOR PICTURES]

The store is filled first, by the writer itself: two weeks of turns of six services and versions. Then a browser opens
each view, a program is started and cut while *Now* is open, and each answer of the API is asked for alone: how much CPU
time the server needs for it.
"""

import contextlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import synthetic
from chromium import chromium
from page_server import PageServer, page_server, program
from playwright.sync_api import Browser, Page
from synthetic import Turn, cut
from windows import FITS, Windows

from autogen_streamtrace.commands.store.place import held
from autogen_streamtrace.commands.store.writing import Batch, Writer
from autogen_streamtrace.core import semconv as sc

TURNS_AT_ONCE: Final = 500
LAYERS: Final = 3
TWO_WEEKS: Final = 13.9 * 86_400
SERVICES: Final = [(service, version) for service in ("desk", "till", "claims") for version in ("1.1", "1.2")]
AGENTS: Final = ("triage_agent", "claims_agent", "search_agent", "writer_agent", "support_agent")
MODELS: Final = ("gpt-4o", "gpt-5-mini", "qwen3-32b")
HOSTS: Final = ("models.example", "llm-gateway.internal", "vllm.internal")
VIEWS: Final = {
    "now": ".turn.row",
    "cuts": ".finding",
    "cuts?since=all": ".finding",
    "cuts?since=all&outcome=disconnected": ".finding",
    "cuts?since=7d&agent=claims_agent&host=vllm.internal": ".finding",
    "turns?since=all": ".turn.row",
    "turns?since=all&order=silent&early=1": ".turn.row",
    "turns?since=all&order=longest&service=till": ".turn.row",
    "compare?since=all&by=version&a.version=1.1&b.version=1.2": ".finding",
}
"""Each view's address, and what shows that it is drawn."""
ANSWERS: Final = (
    "now",
    "store",
    "cuts",
    "cuts?since=all",
    "cuts?since=all&outcome=disconnected",
    "cuts?since=all&service=desk",
    "cuts?since=7d&agent=claims_agent&host=vllm.internal",
    "facets",
    "facets?since=all",
    "facets?since=all&agent=claims_agent&outcome=disconnected",
    "turns?since=all",
    "turns?since=all&early=1",
    "turns?since=all&order=silent&early=1",
    "turns?since=all&order=longest",
    "turns?since=all&order=longest&service=till",
    "turns?since=all&agent=claims_agent&outcome=rejected",
    "compare?since=all&a.version=1.1&b.version=1.2",
    "compare?since=all&a.agent=claims_agent&b.agent=triage_agent",
)


def turn(random_: random.Random) -> Turn:
    """Six in a hundred are cut: by two limits, by chance, by a provider that refuses, by users who leave."""
    draw, host = random_.random(), random_.choice(HOSTS)
    if draw < 0.94:
        return Turn(duration=random_.lognormvariate(2, 0.6), at=0.0, host=host)
    if draw < 0.96:
        return cut(60 + random_.uniform(0, 0.2), intermediary="nginx", at=0.0, host=host)
    if draw < 0.975:
        return cut(0.02, duration=300.2, intermediary="google_front_end", at=0.0, host=host)
    if draw < 0.985:
        cause = "openai.RateLimitError"
        return Turn(sc.REJECTED, cause=cause, ended_by=sc.UPSTREAM, status=429, duration=0.4, at=0.0, host=host)
    if draw < 0.993:
        how: dict[str, Any] = {"cancelled_by": sc.BY_DISCONNECT, "origin": sc.AGENT}
        return Turn(sc.CANCELLED, random_.uniform(0.1, 9), ended_by=sc.END_USER, at=0.0, host=host, **how)
    return cut(random_.expovariate(0.2), duration=random_.uniform(1, 100), at=0.0, host=host)


def named(spans: list[dict[str, Any]], random_: random.Random) -> list[dict[str, Any]]:
    """The spans of one turn with an agent and a model of their own."""
    names = {"support_agent": random_.choice(AGENTS), "gpt-4o": random_.choice(MODELS)}
    for span in spans:
        for attribute in span["attributes"]:
            if attribute["key"] == sc.A_NAME:
                given = attribute["value"]["stringValue"]
                attribute["value"] = {"stringValue": names.get(given, given)}
    return spans


def batches(streams: int) -> Iterator[Batch]:
    """Two weeks up to now, in order."""
    random_ = random.Random(7)
    templates = [
        [named(list(synthetic.spans(turn(random_), 0)), random_) for _ in range(TURNS_AT_ONCE)] for _ in SERVICES
    ]
    count, number, began = streams // LAYERS, 0, time.time() - TWO_WEEKS
    while number < count:
        service, version = SERVICES[number // TURNS_AT_ONCE % len(SERVICES)]
        spans = []
        for parts in templates[number // TURNS_AT_ONCE % len(SERVICES)]:
            ended = round((began + TWO_WEEKS * number / count) * 1e9)
            trace = f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"
            for span in parts:
                lasted = int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])
                times = {"startTimeUnixNano": str(ended - lasted), "endTimeUnixNano": str(ended)}
                spans.append({**span, **times, "traceId": trace})
            number += 1
        yield Batch.of(json.loads(synthetic.request(spans, service, version)))


def fill(folder: Path, streams: int) -> None:
    """Makes the store."""
    with held(folder) as file:
        writer = Writer(file)
        for batch in batches(streams):
            writer.write([batch])
        writer.close()


def cpu(server: PageServer) -> float:
    """Seconds of CPU that the server has used, without the process that finds the causes."""
    used = psutil.Process(server.process).cpu_times()
    return used.user + used.system


def ask_each(server: PageServer) -> None:
    """Prints what each answer costs, the median of five."""
    print("answers of the API: ms of CPU, ms by the clock (medians of five)")
    trace = server.ask("turns?since=all&early=1&limit=1")["turns"][0]["trace"]
    for path in (*ANSWERS, f"turn/{trace}"):
        used, took = [], []
        for _ in range(5):
            before, began = cpu(server), time.perf_counter()
            server.ask(path)
            took.append(time.perf_counter() - began)
            used.append(cpu(server) - before)
        print(f"  {sorted(used)[2] * 1e3:6.0f} {sorted(took)[2] * 1e3:6.0f}  {path}", flush=True)


def open_each(browser: Browser, server: PageServer, pictures: Path | None) -> list[str]:
    """Opens every view; what is wrong."""
    windows = Windows(browser)
    print("views in Chromium: ms until drawn")
    trace = server.ask("turns?since=all&early=1&limit=1")["turns"][0]["trace"]
    for number, (address, mark) in enumerate({**VIEWS, f"turn/{trace}": ".span.selected"}.items()):
        began = time.perf_counter()
        page = windows.open(f"{server.address}#/{address}", ("light", "dark", "phone")[number % 3])
        drawn(page, mark)
        print(f"  {(time.perf_counter() - began) * 1e3:6.0f}  {address}", flush=True)
        if not page.evaluate(FITS):
            windows.wrong.append(f"{address} is wider than its window")
        if pictures is not None:
            page.screenshot(
                path=pictures / f"{number}-{address.partition('?')[0].partition('/')[0]}.png", full_page=True
            )
    windows.close()
    return windows.wrong


def drawn(page: Page, mark: str) -> None:
    """Waits until a view shows what it has."""
    page.locator(mark).first.wait_for(timeout=120_000)
    page.wait_for_function("!document.querySelector('.plot:not(:has(.bars path))')")


def watch(browser: Browser, server: PageServer) -> None:
    """Prints how soon a program's stream is on the page, and its cut."""
    windows = Windows(browser)
    page = windows.open(server.address)
    page.locator(".state[data-state=live]").wait_for()
    appeared, ended = [], []
    for number in range(5):
        with program(server, f"watched-{number}") as running:
            assert running.stdin is not None and running.stdout is not None
            began = time.perf_counter()
            page.locator(".stream-open", has_text=f"watched-{number}").wait_for()
            appeared.append(time.perf_counter() - began)
            running.stdin.write("\n")
            running.stdin.flush()
            running.stdout.readline()
            began = time.perf_counter()
            page.locator(".turn.row", has_text=f"watched-{number}").wait_for()
            ended.append(time.perf_counter() - began)
    for what, times in (("a stream appears", appeared), ("its cut", ended)):
        print(f"{what} after {sorted(times)[2] * 1e3:.0f} ms, at most {max(times) * 1e3:.0f} ms (of five)")
    windows.close()


def main() -> None:
    streams = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    pictures = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        began = time.process_time()
        fill(folder / "store", streams)
        size = sum(each.stat().st_size for each in (folder / "store").glob("streams*"))
        print(f"{streams:,} streams written in {time.process_time() - began:.0f} s of CPU: {size / 1e6:.0f} MB")
        server = stack.enter_context(page_server(folder))
        browser = stack.enter_context(chromium())
        wrong = open_each(browser, server, pictures)
        watch(browser, server)
        ask_each(server)
        if wrong:
            sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
