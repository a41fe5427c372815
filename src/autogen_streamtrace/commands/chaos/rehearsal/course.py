"""Plays a plan: sets what the proxy does step by step, and says what to do and where to look."""

import asyncio
import os
import signal
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import click

from autogen_streamtrace.commands.chaos.rehearsal.plan import Plan, Step
from autogen_streamtrace.commands.chaos.rules import Rules
from autogen_streamtrace.commands.chaos.service import Service


@dataclass
class Played:
    """One step, as it went."""

    step: Step
    began: float
    """Seconds since the epoch."""
    ended: float
    requests: int
    """How many the proxy had meanwhile."""


@dataclass
class Course:
    """A plan, and which of its steps were played."""

    plan: Plan
    seed: int = 0
    played: list[Played] = field(default_factory=list)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _next: asyncio.Event = field(default_factory=asyncio.Event)

    async def play(self, service: Service) -> None:
        """Plays each step for its minutes, or until somebody presses Enter. Ctrl-C ends the game day."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, self._end)
        with self._enter(loop):
            for number, step in enumerate(self.plan.steps, 1):
                if self._ended.is_set():
                    return
                await self._play(number, step, service)

    async def _play(self, number: int, step: Step, service: Service) -> None:
        service.rules, service.manner = Rules(step.rules, self.seed), step.model
        self._next.clear()
        before, began = service.tally.count, time.time()
        click.echo(announcement(number, len(self.plan.steps), step), err=True)
        try:
            await asyncio.wait_for(self._next.wait(), step.minutes * 60)
        except asyncio.TimeoutError:
            pass
        self.played.append(Played(step, began, time.time(), service.tally.count - before))

    def _end(self) -> None:
        self._ended.set()
        self._next.set()

    @contextmanager
    def _enter(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Enter ends a step, where somebody sits at a terminal."""
        if not sys.stdin.isatty():
            yield
            return
        terminal = sys.stdin.fileno()

        def pressed() -> None:
            if not os.read(terminal, 4096):
                loop.remove_reader(terminal)  # it has closed
            self._next.set()

        loop.add_reader(terminal, pressed)
        try:
            yield
        finally:
            loop.remove_reader(terminal)


def announcement(number: int, count: int, step: Step) -> str:
    """What is said when a step begins."""
    ended_by = f", by {step.ended_by}" if step.ended_by else ""
    layer = f", layer {step.layer}" if step.layer else ""
    lines = {
        "fault": "; ".join(step.faults),
        "do": step.do,
        "run": "\n".join(step.run),
        "ends": f"{step.outcome}{ended_by}{layer}",
        "panels": "; ".join(step.panels),
        "look": step.see,
        "alerts": ", ".join(step.alerts) or "none",
        "runbook": f"docs/runbooks/{step.runbook}.md" if step.runbook else "",
        "change": step.change,
    }
    told = [_told(word, text) for word, text in lines.items() if text]
    return "\n".join([f"\nStep {number} of {count}, {step.minutes:g} minutes: {step.name}", *told])


def _told(word: str, text: str) -> str:
    parts = text.splitlines() if word == "run" else textwrap.wrap(text, 100)
    return "\n".join(f"  {word if not at else '':8}{part}" for at, part in enumerate(parts))
