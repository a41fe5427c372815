"""A day of two services' turns, made from a seed: what they ended with, and the samples that Prometheus would have.

Less than two hours before the day ends `desk` gets version 1.2, whose models are silent for longer: nginx in front of
them cuts streams that are silent for 60 seconds. An hour earlier a process of `reports` is killed.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Final

from boards import vocabulary as v

from autogen_streamtrace.core import semconv as sc

END: Final = int(datetime(2026, 6, 18, 15, 57, tzinfo=timezone.utc).timestamp())
BEGIN: Final = END - 86_400
DEPLOYED: Final = END - 6_300
KILLED: Final = END - 9_900


@dataclass(frozen=True)
class Process:
    """One process, from its start to its end."""

    service: str
    version: str
    instance: str
    begin: int
    end: int
    turns_a_minute: float

    @property
    def labels(self) -> dict[str, str]:
        return {
            v.ENVIRONMENT: "production",
            v.SERVICE: self.service,
            v.VERSION: self.version,
            "job": self.service,
            "instance": self.instance,
        }


PROCESSES: Final = (
    Process("desk", "1.1", "desk-6d5f", BEGIN, DEPLOYED, 11),
    Process("desk", "1.2", "desk-9b47", DEPLOYED, END, 11),
    Process("reports", "2.4", "reports-71c2", BEGIN, KILLED, 4),
    Process("reports", "2.4", "reports-a05e", KILLED + 60, END, 4),
)


@dataclass(frozen=True)
class Ending:
    """How a stream ends, in the layer where it arises."""

    outcome: str
    origin: str
    ended_by: str
    cause: str = ""
    fault: bool = True
    limit: str = ""
    waiting: tuple[str, str] = ("", "")
    cancelled_by: str = ""
    silence: tuple[float, float] = (0.05, 0.4)
    status: str = ""
    page: str = ""


GOOD: Final = Ending(sc.COMPLETED, "", sc.NONE, fault=False)
CHUNK: Final = ("http.chunk", "llm-gateway.internal")
NGINX: Final = Ending(
    sc.TRUNCATED, sc.HTTP, sc.UPSTREAM, "httpx.RemoteProtocolError", True, "nginx.proxy_read_timeout", CHUNK,
    silence=(60.0, 60.4),
)  # fmt: skip
READ: Final = Ending(
    sc.TIMEOUT, sc.HTTP, sc.HTTP_CLIENT, "httpx.ReadTimeout", True, "http_client.read_timeout", CHUNK,
    silence=(30.0, 30.3),
)  # fmt: skip
RESET: Final = Ending(
    sc.DISCONNECTED, sc.HTTP, sc.UPSTREAM, "httpx.ReadError", waiting=CHUNK, silence=(0.1, 9.0)
)  # fmt: skip
REFUSED: Final = Ending(
    sc.REJECTED, sc.HTTP, sc.UPSTREAM, "openai.RateLimitError", status="429", page="provider"
)  # fmt: skip
UNAVAILABLE: Final = Ending(
    sc.REJECTED, sc.HTTP, sc.UPSTREAM, "openai.InternalServerError", limit="nginx.upstream", status="502", page="nginx"
)  # fmt: skip
LONGEST: Final = Ending(sc.LENGTH, sc.MODEL, sc.UPSTREAM, fault=False)
FILTERED: Final = Ending(sc.FILTERED, sc.MODEL, sc.UPSTREAM, fault=False)
TOOL: Final = Ending(
    sc.FAILED, sc.TOOL, sc.PROCESS, "sqlalchemy.exc.OperationalError", waiting=("tool", "look_up_claim")
)  # fmt: skip
LEFT: Final = Ending(
    sc.CANCELLED, sc.AGENT, sc.END_USER, "asyncio.exceptions.CancelledError", False,
    waiting=("model.chunk", "gpt-5-mini"), cancelled_by=sc.BY_DISCONNECT, silence=(0.2, 25.0),
)  # fmt: skip
DEADLINE: Final = Ending(
    sc.TIMEOUT, sc.AGENT, sc.CALLER, "TimeoutError", True, "asyncio.timeout", ("tool", "search_policies"),
    sc.BY_DEADLINE, (2.0, 40.0),
)  # fmt: skip
DIED: Final = Ending(sc.KILLED, sc.AGENT, sc.PROCESS, waiting=("model.chunk", "qwen3-32b"), silence=(0.3, 8.0))

USUAL: Final = {
    "desk": (
        (GOOD, 940.0),
        (LEFT, 25),
        (LONGEST, 14),
        (FILTERED, 4),
        (RESET, 2),
        (REFUSED, 4),
        (TOOL, 1.5),
        (READ, 1.2),
    ),
    "reports": ((GOOD, 950.0), (LONGEST, 30), (READ, 2.5), (UNAVAILABLE, 2.5), (DEADLINE, 3), (RESET, 1.5)),
}  # fmt: skip
AFTER: Final = (*USUAL["desk"], (NGINX, 45.0), (DEADLINE, 6.0))
"""Of `desk` since its new version: ending and weight."""

TURNS: Final = {
    "desk": ("autogen", "claims_team", ("triage_agent", "claims_agent"), "gpt-5-mini", "openai", "look_up_claim"),
    "reports": ("agent_framework", "", ("writer_agent",), "qwen3-32b", "vllm", "search_policies"),
}
"""Framework, team, agents, model, provider, tool."""
HOSTS: Final = {"desk": "llm-gateway.internal", "reports": "vllm.internal"}


@dataclass
class Stream:
    """One stream that has ended."""

    process: Process
    layer: str
    name: str
    ending: Ending
    begin: float
    end: float
    origin: bool
    outermost: bool
    first: float
    gap: float
    caller: float
    silence: float
    streamed: str = ""
    tokens: tuple[int, int] = (0, 0)
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def framework(self) -> str:
        return TURNS[self.process.service][0]


def load(moment: float) -> float:
    """How busy the hour is: 1 in the afternoon, a fifth at night."""
    hour = moment % 86_400 / 3_600
    return 0.6 + 0.4 * math.sin((hour - 9) / 24 * 2 * math.pi)


def streams() -> list[Stream]:
    """Everything that ended on that day, in order."""
    random_ = random.Random(7)
    found: list[Stream] = []
    for process in PROCESSES:
        for minute in range(process.begin, process.end, 60):
            expected = process.turns_a_minute * load(minute)
            for _ in range(int(expected + random_.random())):
                found += turn(random_, process, minute + random_.uniform(0, 60))
    return sorted(found, key=lambda stream: stream.end)


def turn(random_: random.Random, process: Process, begin: float) -> Iterator[Stream]:
    """The streams of one turn, outermost first."""
    _, team, agents, model, _, tool = TURNS[process.service]
    choices = AFTER if process.version == "1.2" else USUAL[process.service]
    ending = random_.choices([each for each, _ in choices], [weight for _, weight in choices])[0]
    duration = random_.lognormvariate(2.1, 0.5)
    if process.end == KILLED and KILLED - begin < max(duration, 30):
        ending = DIED
    silence = 0.0 if ending is GOOD else random_.uniform(*ending.silence)
    end = begin + (0.4 if ending.outcome == sc.REJECTED else duration + silence)
    end = KILLED if ending is DIED else end
    if end > process.end and process.end != END:  # a process that is replaced lets its turns end first
        return
    names = {
        **({sc.TEAM: team} if team else {}),
        sc.AGENT: random_.choice(agents),
        **({sc.TOOL: tool} if ending.origin == sc.TOOL or random_.random() < 0.5 else {}),
        sc.MODEL: model,
        sc.HTTP: HOSTS[process.service],
    }
    touched = reached(ending, list(names))
    for depth, (layer, name) in enumerate(names.items()):
        mine = ending if layer in touched else GOOD
        first = random_.lognormvariate(-0.9 + (0.5 if process.version == "1.2" else 0), 0.5) * (1.3 - 0.12 * depth)
        until = begin + (end - begin) * (0.3 if layer == sc.TOOL and mine is GOOD else 1 - 0.01 * depth)
        yield Stream(
            process, layer, name, mine, begin + 0.01 * depth, until if mine is GOOD else end,
            origin=mine is GOOD or layer == ending.origin, outermost=depth == 0, first=first,
            gap=max(silence if mine is not GOOD else 0, random_.lognormvariate(-1.2, 0.6)),
            caller=random_.lognormvariate(-4 + (5 - depth) * 0.4, 0.7), silence=silence if mine is not GOOD else 0.0,
            streamed="true" if layer == sc.MODEL and random_.random() < 0.8 else "false" if layer == sc.MODEL else "",
            tokens=(int(random_.lognormvariate(6.5, 0.6)), int(random_.lognormvariate(5.4, 0.6))),
            facts=facts(random_, process, layer, mine),
        )  # fmt: skip


def reached(ending: Ending, layers: list[str]) -> list[str]:
    """The layers that end as the origin does: those around it and, where it is the reader who goes, those below."""
    if not ending.origin:
        return []
    if ending.origin == sc.AGENT:
        return [layer for layer in layers if layer != sc.TOOL]
    around = layers[: layers.index(ending.origin) + 1]
    return around if ending.origin == sc.TOOL else [layer for layer in around if layer != sc.TOOL]


def facts(random_: random.Random, process: Process, layer: str, ending: Ending) -> dict[str, str]:
    """What only log events and spans say."""
    found = {}
    if random_.random() < 0.02:
        found[v.L_LOOP_LATE] = f"{random_.lognormvariate(-0.8, 0.5):.3f}"
    if layer == sc.HTTP and ending.outcome == sc.REJECTED:
        found |= {v.L_STATUS: ending.status, v.L_PAGE: ending.page, v.L_INTERMEDIARY: "nginx"}
        found[v.L_TO_HEADERS] = f"{random_.lognormvariate(-1.5, 0.8):.3f}"
    if layer == sc.HTTP and ending is RESET and random_.random() < 0.5:
        found[v.L_REUSED] = random_.choice(("true", "true", "false"))
    if ending.silence[1] > 20 and ending is not GOOD:
        found["stalled"] = "true"
    return found
