"""`autogen-streamtrace demo`."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from autogen_streamtrace.commands.extras import require
from autogen_streamtrace.commands.statuses import command, end, wrong

if TYPE_CHECKING:
    from autogen_streamtrace.commands.demo.scenarios import Scenario
    from autogen_streamtrace.commands.demo.verdict import Row


@command(example="--only stall", well="every stream was judged right", found="one was told wrong")
@click.option("--only", multiple=True, metavar="NAME", help="Play this scenario only; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--otlp", "send", is_flag=True, help="Send spans, metrics and logs to the configured OTLP endpoint too.")
@click.option(
    "--framework",
    type=click.Choice(["autogen", "agent-framework", "openai", "anthropic"]),
    default="autogen",
    show_default=True,
    help="Whose streams are cut: a framework's, or those of an SDK without one.",
)
@click.option("--list", "list_only", is_flag=True, help="List the scenarios, and play none.")
def demo(only: tuple[str, ...], as_json: bool, send: bool, framework: str, list_only: bool) -> None:
    """Cut real streams in every way, and check each verdict."""
    require("autogen_agentchat", "autogen_ext", "openai", what="demo", extra="demo")
    chosen = choose(only, framework)
    if list_only:
        show_list(chosen, as_json=as_json)
        return
    from autogen_streamtrace.commands.demo.run import quiet
    from autogen_streamtrace.settings import SettingError

    try:
        with quiet():
            rows = asyncio.run(play(chosen, as_json=as_json, send=send))
    except SettingError as error:
        raise click.UsageError(str(error)) from None
    end(found=not all(row.right for row in rows))


def choose(only: Sequence[str], framework: str = "autogen") -> "list[Scenario]":
    """The framework's scenarios of these names, in the table's order; all where none is named."""
    known = of_framework(framework)
    unknown = [name for name in only if name not in known]
    if unknown:
        raise wrong("--only", f"unknown scenario {', '.join(map(repr, unknown))}; known are {', '.join(known)}")
    return [scenario for name, scenario in known.items() if not only or name in only]


def of_framework(framework: str) -> "Mapping[str, Scenario]":
    """The scenarios of a framework, by name."""
    from autogen_streamtrace.commands.demo.scenarios import SCENARIOS, frameworks

    if framework == "autogen":
        return SCENARIOS
    chosen = frameworks.FRAMEWORKS[framework]
    require(*chosen.modules, what=f"demo --framework {framework}", extra="frameworks")
    return frameworks.scenarios(chosen)


def show_list(scenarios: "Sequence[Scenario]", *, as_json: bool) -> None:
    if as_json:
        print_json([{"name": scenario.name, "what": scenario.what} for scenario in scenarios])
        return
    width = max(len(scenario.name) for scenario in scenarios)
    for scenario in scenarios:
        click.echo(f"{scenario.name:{width}}  {scenario.what}")


async def play(scenarios: "Sequence[Scenario]", *, as_json: bool, send: bool) -> "list[Row]":
    """Play one scenario after the other, and show each as it ends."""
    from autogen_streamtrace.commands.demo.run import Demo
    from autogen_streamtrace.commands.demo.view import View, console_beside_json, console_for_rows

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
    click.echo(json.dumps(document, indent=2))
