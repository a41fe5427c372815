"""`autogen-streamtrace chaos`."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autogen_streamtrace.commands.extras import require
from autogen_streamtrace.commands.statuses import command, end, wrong

if TYPE_CHECKING:
    from autogen_streamtrace.commands.chaos.rehearsal.course import Course
    from autogen_streamtrace.commands.chaos.rules import Rule
    from autogen_streamtrace.commands.chaos.scenario import Scenario
    from autogen_streamtrace.commands.chaos.service import Service
    from autogen_streamtrace.commands.chaos.wire.upstream import Upstream

_FILE = click.Path(path_type=Path)


@command(
    example="--upstream https://api.openai.com --fault stall",
    well="it was told to end",
    found="--verdicts says otherwise of a fault",
)
@click.option(
    "--upstream", default="", metavar="URL", help="The model's endpoint. Without it, a model of our own answers."
)
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="The address to listen on: 127.0.0.1 by default.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=9100, metavar="NUMBER", help="9100 by default; 0 takes a free one."
)
@click.option("--fault", multiple=True, metavar="FAULT", help="NAME, and key=value: see --list; repeatable.")
@click.option("--like", multiple=True, metavar="LIMIT=TIME", help="Play a limit of the catalogue; repeatable.")
@click.option("--scenario", type=_FILE, metavar="FILE", help="Faults, seed and upstream in TOML.")
@click.option("--plan", type=_FILE, metavar="FILE", help="A game day: steps in TOML, one after the other.")
@click.option("--seed", type=int, default=None, metavar="NUMBER", help="Makes the dice repeatable: 0 by default.")
@click.option("--ca", type=_FILE, metavar="FILE", help="Certificates of the upstream's authority, in PEM.")
@click.option("--cert", type=_FILE, metavar="FILE", help="Serve TLS, HTTP/2 on offer, with this certificate in PEM.")
@click.option("--key", type=_FILE, metavar="FILE", help="Its key.")
@click.option("--verdicts", default="", metavar="FILE|URL|ui", help="The program's telemetry; ui: what `ui` has got.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
@click.option("--list", "list_only", is_flag=True, help="List the faults and the limits, and serve nothing.")
def chaos(
    upstream: str,
    host: str,
    port: int,
    fault: tuple[str, ...],
    like: tuple[str, ...],
    scenario: Path | None,
    plan: Path | None,
    seed: int | None,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
    verdicts: str,
    as_json: bool,
    list_only: bool,
) -> None:
    """Stand before a model's endpoint, and cut its streams as production does.

    Set the program's base URL to this proxy. A request may name its own fault in the header x-streamtrace-fault.
    """
    require("httptools", what="chaos", extra="chaos")
    from autogen_streamtrace.commands.chaos import report
    from autogen_streamtrace.commands.chaos.rehearsal import seen
    from autogen_streamtrace.commands.chaos.rules import Rules
    from autogen_streamtrace.commands.chaos.service import Service
    from autogen_streamtrace.commands.chaos.table import watch
    from autogen_streamtrace.commands.chaos.verdicts import Verdicts

    if list_only:
        report.show_faults()
        return
    if plan is not None and (fault or like or scenario):
        raise click.UsageError("--plan says which faults there are; leave out --fault, --like and --scenario")
    told, course = _scenario(scenario), _course(plan, upstream, seed)
    rules = Rules(
        [*_rules(fault, "--fault"), *_rules(like, "--like"), *told.rules], told.seed if seed is None else seed
    )
    service = Service(rules, _upstream(upstream or told.upstream, ca))
    read = Verdicts(verdicts) if verdicts else None
    if read is not None:
        read.check()
    attend = course.play if course is not None else partial(watch, quiet=as_json)
    asyncio.run(_run(service, host, port, _tls(cert, key), attend))
    show = partial(seen.show, course) if course is not None else partial(report.show, service.tally)
    try:
        end(found=show(read, as_json=as_json))
    except click.BadParameter:
        show(None, as_json=as_json)  # the telemetry cannot be read, and what was done is told all the same
        raise


async def _run(
    service: "Service",
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    attend: "Callable[[Service], Awaitable[None]]",
) -> None:
    """Serves until ``attend`` returns."""
    from autogen_streamtrace.commands.chaos.server import listen
    from autogen_streamtrace.commands.chaos.wire.upstream import UpstreamError

    if service.upstream is not None:
        try:
            await service.upstream.check()
        except UpstreamError as error:
            raise wrong("--upstream", error) from None
    try:
        listener = await listen(service, host, port, tls)
    except OSError as error:
        raise click.UsageError(f"{host} port {port} cannot be listened on: {error.strerror}") from None
    url = f"{'https' if tls else 'http'}://{host}:{listener.port}"
    source = service.upstream.url if service.upstream is not None else "a model of our own"
    click.echo(f"{url} answers with {source}. Ctrl-C ends it.", err=True)
    await attend(service)
    await listener.close()


def _rules(said: Sequence[str], option: str) -> "list[Rule]":
    from autogen_streamtrace.commands.chaos.rules import Rule, RuleError

    try:
        return [Rule.of(each) for each in said]
    except RuleError as error:
        raise wrong(option, error) from None


def _scenario(path: Path | None) -> "Scenario":
    from autogen_streamtrace.commands.chaos.rules import RuleError
    from autogen_streamtrace.commands.chaos.scenario import Scenario, read

    try:
        return Scenario() if path is None else read(path)
    except RuleError as error:
        raise wrong("--scenario", error) from None


def _course(path: Path | None, upstream: str, seed: int | None) -> "Course | None":
    from autogen_streamtrace.commands.chaos.rehearsal.course import Course
    from autogen_streamtrace.commands.chaos.rehearsal.plan import read
    from autogen_streamtrace.commands.chaos.rules import RuleError

    if path is None:
        return None
    try:
        plan = read(path)
    except RuleError as error:
        raise wrong("--plan", error) from None
    model = next((step for step in plan.steps if step.model != "ok"), None)
    if upstream and model is not None:
        problem = f"{model.name!r} needs a model that replies as {model.model!r}, which that of `chaos` does"
        raise wrong("--upstream", f"{problem}; leave --upstream out")
    return Course(plan, plan.seed if seed is None else seed)


def _upstream(url: str, authorities: Path | None) -> "Upstream | None":
    from autogen_streamtrace.commands.chaos.wire.upstream import Upstream

    try:
        return Upstream.of(url, str(authorities) if authorities else None) if url else None
    except ValueError as error:
        raise wrong("--upstream", error) from None


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    from autogen_streamtrace.commands.chaos.server import tls_context

    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise click.UsageError("--cert and --key belong together")
    try:
        return tls_context(str(certificate), str(key))
    except ssl.SSLError:
        raise wrong("--cert", f"{certificate}, {key}: no certificate and its key, in PEM") from None
    except OSError as error:
        raise wrong("--cert", f"{certificate}, {key}: {error.strerror or error}") from None
