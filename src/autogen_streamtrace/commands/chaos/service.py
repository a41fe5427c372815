"""Answers a request: with the upstream's reply or the model's, as far as the fault lets it pass."""

import asyncio
import contextlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from autogen_streamtrace.commands.chaos.faults import FAULTS, Dose, Fault
from autogen_streamtrace.commands.chaos.model.asked import ENDPOINT, Asked
from autogen_streamtrace.commands.chaos.model.manners import MANNERS, SLOW_PAUSE
from autogen_streamtrace.commands.chaos.model.reply import Reply
from autogen_streamtrace.commands.chaos.rules import RuleError, Rules
from autogen_streamtrace.commands.chaos.tally import Done, End, Tally
from autogen_streamtrace.commands.chaos.wire.message import Head, Request
from autogen_streamtrace.commands.chaos.wire.passage import Passage, Source, SourceBrokeError
from autogen_streamtrace.commands.chaos.wire.sink import Sink
from autogen_streamtrace.commands.chaos.wire.upstream import Upstream, UpstreamError

HOLD_LIMIT: Final = 3600.0
"""Seconds for which a silent reply waits for its client to leave."""
ENDPOINTS: Final = (
    "/v1/chat/completions, /v1/responses, /v1/messages, /api/chat and /v1beta/models/MODEL:streamGenerateContent"
)
MAX_PATHS: Final = 10_000
"""Paths whose requests are counted."""


@dataclass(frozen=True)
class _Plan:
    """What a request gets."""

    fault: Fault
    dose: Dose
    manner: str = "ok"
    arguments: tuple[str, ...] = ()


@dataclass
class Service:
    """Answers requests."""

    rules: Rules = field(default_factory=Rules)
    upstream: Upstream | None = None
    """None: the model of our own answers."""
    manner: str = "ok"
    """How the model of our own replies, unless the path says it."""
    tally: Tally = field(default_factory=Tally)
    hold_limit: float = HOLD_LIMIT
    _attempts: Counter[str] = field(default_factory=Counter)

    async def __call__(self, request: Request, sink: Sink) -> None:
        try:
            plan = self._plan(request)
        except RuleError as error:
            _answer(sink, 400, str(error))
            return
        if plan is None:
            _answer(sink, 404, f"{request.path} is no endpoint of a model; known are {ENDPOINTS}")
            return
        passes = plan.fault.name == "none"
        done = self.tally.begin(
            request.model,
            request.path,
            "" if passes else plan.fault.name,
            "" if passes else str(plan.dose.place),
            request.header("traceparent"),
        )
        await self._serve(request, sink, plan, done)

    async def _serve(self, request: Request, sink: Sink, plan: _Plan, done: Done) -> None:
        passes = plan.fault.name == "none"
        async with contextlib.AsyncExitStack() as stack:
            source = self._source(plan, done, stack, plain=not passes)
            passage = Passage(request, sink, source, hold_limit=self.hold_limit, untouched=passes)
            passage.added = list(plan.fault.adds)
            try:
                struck = await plan.fault.play(passage, plan.dose)
                done.end = "passed" if passes else "struck" if struck else "not reached"
            except SourceBrokeError as error:
                done.end = "upstream broke"
                passage.cut(error.how)
            except UpstreamError as error:
                done.end = "error"
                _answer(sink, 502, str(error))
            except asyncio.CancelledError:
                done.end = _left(passage, passes=passes)
                raise
            finally:
                _note(done, passage)

    def _plan(self, request: Request) -> _Plan | None:
        """What the request gets; None where its path is not known."""
        rule = self.rules.choose(request)
        fault, dose = (rule.fault, rule.dose) if rule else (FAULTS["none"], Dose(FAULTS["none"].place))
        if self.upstream is not None:
            return _Plan(fault, dose)
        endpoint = ENDPOINT.search(request.path)
        if endpoint is None or request.method != "POST":
            return None
        name, *arguments = request.path[: endpoint.start()].strip("/").split("/")
        if name in MANNERS:
            return _Plan(fault, dose, name, tuple(arguments))
        if name and name not in FAULTS:
            return None
        if name:
            fault, dose = self._of_path(name, request.target, arguments)
        lasts = fault.lasts(dose)
        if lasts:
            return _Plan(fault, dose, "slow", (str(int(lasts / SLOW_PAUSE) + 20),))
        return _Plan(fault, dose, self.manner, tuple(arguments))

    def _of_path(self, name: str, target: str, arguments: list[str]) -> tuple[Fault, Dose]:
        """The fault that a path names."""
        fault = FAULTS[name]
        if fault.heals:
            if len(self._attempts) >= MAX_PATHS:
                self._attempts.clear()
            self._attempts[target] += 1
            fault = fault if self._attempts[target] % 2 else FAULTS["none"]
        return fault, Dose(fault.place)

    def _source(self, plan: _Plan, done: Done, stack: contextlib.AsyncExitStack, *, plain: bool) -> Source:
        async def model(passage: Passage) -> None:
            asked = Asked.of(passage.request, plan.arguments, done.number)
            replying = asyncio.ensure_future(MANNERS[plan.manner](Reply(asked, passage)))
            stack.callback(replying.cancel)

        async def upstream(passage: Passage) -> None:
            assert self.upstream is not None
            transport = await self.upstream.ask(passage.request, passage, plain=plain)
            stack.callback(transport.abort)
            passage.valve = lambda open_: transport.resume_reading() if open_ else transport.pause_reading()

        return upstream if self.upstream is not None else model


def _left(passage: Passage, *, passes: bool) -> End:
    """How an exchange ended whose client is gone."""
    if passage.at_place and not passes:
        return "struck"
    if passage.told:
        return "passed" if passes else "not reached"
    return "client left"


def _answer(sink: Sink, status: int, message: str) -> None:
    """An error of the proxy's own."""
    body = json.dumps({"error": {"message": f"autogen-streamtrace chaos: {message}", "type": "chaos"}}).encode()
    length = b"%d" % len(body)
    sink.begin(Head(status, [(b"content-type", b"application/json"), (b"content-length", length)]))
    sink.write(body)
    sink.end()


def _note(done: Done, passage: Passage) -> None:
    loop = asyncio.get_running_loop()
    done.events, done.bytes = passage.events, passage.bytes
    done.seconds = loop.time() - passage.started
    if passage.sent is not None:
        done.status = passage.sent.status
        done.request_id = passage.sent.value(b"x-request-id").decode("latin-1")[:64]
