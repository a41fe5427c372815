"""``autogen-streamtrace recover``: for a cron job, a sidecar, or when nothing restarts."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from autogen_streamtrace import otlp, settings
from autogen_streamtrace.commands.stopping import Stop
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.recorder.recovery import Recovered, dead, recover_all

_EVERY: Final = 5.0
"""Seconds between two looks with ``--watch``."""


def recover(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what there is to tell; send nothing.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay until SIGTERM; recover each process that dies.")] = False,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Directory of the recorders, as the setting recorder_dir.")
    ] = None,
) -> None:
    """Tell how the streams of dead processes ended, over OTLP as the OTEL_* variables say.

    Exit status 1 where something could not be read or sent; with --dry-run, where there is something to tell.
    """
    try:
        chosen = str(directory) if directory is not None else settings.load().recorder_dir
        if dry_run:
            raise typer.Exit(_print_dead(chosen))
        providers = otlp.providers()
    except settings.SettingError as error:
        raise typer.BadParameter(str(error)) from None
    stop = Stop() if watch else None
    failed = _recover(chosen)
    while stop is not None and not stop.within(_EVERY):
        failed = _recover(chosen) or failed
    if stop is not None:
        failed = _recover(chosen) or failed  # what has died with us
    otlp.shutdown(providers)
    raise typer.Exit(int(failed))


def _recover(chosen: str | None) -> bool:
    """Whether something could not be recovered."""
    failed = False
    for path, found in recover_all(otlp.send, chosen):
        if found is None:
            typer.echo(f"{path}: not recovered", err=True)
            failed = True
        else:
            typer.echo(f"{path}: {_summary(found)}")
    return failed


def _print_dead(chosen: str | None) -> int:
    """The exit status."""
    status = 0
    for path, found in dead(chosen):
        status = 1
        if found is None:
            continue
        typer.echo(f"{path}: {_summary(found)}")
        for span in found.spans:
            said: Any = span.attributes or {}
            typer.echo(
                f"  {said[sc.A_LAYER]} {said[sc.A_NAME]}: {said[sc.A_OUTCOME]}, {said.get(sc.A_CHUNKS, 0)} chunks,"
                f" trace {span.context.trace_id:032x}"
            )
    return status


def _summary(found: Recovered) -> str:
    orphan = found.orphan
    service = orphan.described.get("resource", {}).get("service.name", "")
    return f"process {orphan.pid} {service}: {found.streams} streams to tell, {found.killed} of them open when it died"
