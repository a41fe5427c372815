"""``autogen-streamtrace recover``: for a cron job, a sidecar, or when nothing restarts."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from autogen_streamtrace.commands.directories import directory_option
from autogen_streamtrace.commands.statuses import command, end

if TYPE_CHECKING:
    from autogen_streamtrace.recorder.recovery import Recovered

_EVERY: Final = 5.0
"""Seconds between two searches with ``--watch``."""


@command(
    example="--dry-run",
    well="nothing died, or all of it was sent",
    found="something was not read or sent; with --dry-run, there is some to tell",
)
@click.option("--dry-run", is_flag=True, help="Print what there is to tell; send nothing.")
@click.option("--watch", is_flag=True, help="Stay until SIGTERM; recover each process that dies.")
@directory_option
def recover(dry_run: bool, watch: bool, directory: Path | None) -> None:
    """Tell how the streams of dead processes ended.

    It sends over OTLP, as the OTEL_* variables say.
    """
    chosen = None if directory is None else str(directory)
    end(found=_print_dead(chosen) if dry_run else _recover(chosen, watch=watch))


def _recover(chosen: str | None, *, watch: bool) -> bool:
    """Whether something could not be recovered."""
    from autogen_streamtrace import otlp, settings
    from autogen_streamtrace.commands.stopping import Stop

    try:
        providers = otlp.providers()
    except settings.SettingError as error:
        raise click.UsageError(str(error)) from None
    stop = Stop() if watch else None
    failed = _recover_once(chosen)
    while stop is not None and not stop.within(_EVERY):
        failed = _recover_once(chosen) or failed
    if stop is not None:
        failed = _recover_once(chosen) or failed  # files of processes that died before this command ended
    otlp.shutdown(providers)
    return failed


def _recover_once(chosen: str | None) -> bool:
    from autogen_streamtrace import otlp
    from autogen_streamtrace.recorder.recovery import recover_all

    failed = False
    for path, found in recover_all(otlp.send, chosen):
        if found is None:
            click.echo(f"{path}: not recovered", err=True)
            failed = True
        else:
            click.echo(f"{path}: {_summary(found)}")
    return failed


def _print_dead(chosen: str | None) -> bool:
    """Whether there is something to send."""
    from autogen_streamtrace.core import semconv as sc
    from autogen_streamtrace.recorder.recovery import dead

    any_dead = False
    for path, found in dead(chosen):
        any_dead = True
        if found is None:
            continue
        click.echo(f"{path}: {_summary(found)}")
        for span in found.spans:
            said: Any = span.attributes or {}
            click.echo(
                f"  {said[sc.A_LAYER]} {said[sc.A_NAME]}: {said[sc.A_OUTCOME]}, {said.get(sc.A_CHUNKS, 0)} chunks,"
                f" trace {span.context.trace_id:032x}"
            )
    return any_dead


def _summary(found: "Recovered") -> str:
    orphan = found.orphan
    service = orphan.described.get("resource", {}).get("service.name", "")
    streams = "1 stream" if found.streams == 1 else f"{found.streams} streams"
    told = f"{streams} to tell, {found.killed} of them open when it died" if found.streams else "only counters to tell"
    return f"process {orphan.pid} {service}: {told}"
