"""`autogen-streamtrace demo`."""

import asyncio
import json
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autogen_streamtrace.commands.demo.verdict import Row
from autogen_streamtrace.commands.demo.view import View, console_beside_json, console_for_rows
from autogen_streamtrace.settings import SettingError

if TYPE_CHECKING:
    from autogen_streamtrace.commands.demo.scenarios import Scenario

NEEDED = ("autogen_agentchat", "autogen_ext", "openai")


def demo(
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Play this scenario only; repeatable.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    send: Annotated[
        bool, typer.Option("--otlp", help="Send spans, metrics and logs to the configured OTLP endpoint too.")
    ] = False,
    list_only: Annotated[bool, typer.Option("--list", help="List the scenarios, and play none.")] = False,
) -> None:
    """Cut real AutoGen streams in every way, and judge what is said."""
    require_autogen()
    chosen = choose(only or [])
    if list_only:
        show_list(chosen, as_json=as_json)
        return
    from autogen_streamtrace.commands.demo.run import quiet

    try:
        with quiet():
            rows = asyncio.run(play(chosen, as_json=as_json, send=send))
    except SettingError as error:
        raise typer.BadParameter(str(error)) from None
    if not all(row.right for row in rows):
        raise typer.Exit(1)


def require_autogen() -> None:
    missing = [module for module in NEEDED if find_spec(module) is None]
    if missing:
        typer.echo(f"The demo needs AutoGen ({', '.join(missing)} not installed):", err=True)
        typer.echo("  pip install 'autogen-streamtrace[demo]'", err=True)
        raise typer.Exit(2)


def choose(only: Sequence[str]) -> "list[Scenario]":
    """The scenarios of these names, in the table's order; all where none is named."""
    from autogen_streamtrace.commands.demo.scenarios import SCENARIOS

    unknown = [name for name in only if name not in SCENARIOS]
    if unknown:
        raise typer.BadParameter(
            f"unknown scenario {', '.join(map(repr, unknown))}; known are {', '.join(SCENARIOS)}",
            param_hint="--only",
        )
    return [scenario for name, scenario in SCENARIOS.items() if not only or name in only]


def show_list(scenarios: "Sequence[Scenario]", *, as_json: bool) -> None:
    if as_json:
        print_json([{"name": scenario.name, "what": scenario.what} for scenario in scenarios])
        return
    width = max(len(scenario.name) for scenario in scenarios)
    for scenario in scenarios:
        typer.echo(f"{scenario.name:{width}}  {scenario.what}")


async def play(scenarios: "Sequence[Scenario]", *, as_json: bool, send: bool) -> list[Row]:
    """Play one scenario after the other, and show each as it ends."""
    from autogen_streamtrace.commands.demo.run import Demo

    rows = []
    console = console_beside_json() if as_json else console_for_rows()
    with Demo(send=send) as stage, View(console, len(scenarios)) as view:
        for scenario in scenarios:
            view.playing(scenario.name)
            rows.append(await stage.play(scenario))
            view.show(rows[-1])
    view.summary()
    if as_json:
        print_json({"right": sum(row.right for row in rows), "total": len(rows), "rows": [r.as_json() for r in rows]})
    return rows


def print_json(document: Any) -> None:
    typer.echo(json.dumps(document, indent=2))
