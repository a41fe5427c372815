"""The command line. Each command is a module of its own, which is imported when the command runs."""

import importlib
from typing import Final

import click

_HOMES: Final = {
    "demo": "demo.command",
    "top": "top.command",
    "diagnose": "diagnose.command",
    "ui": "ui.command",
    "recover": "recover",
    "probe": "probe.command",
    "echo": "probe.command",
    "audit": "audit.command",
    "chaos": "chaos.command",
}
"""The module below ``commands`` of each command."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _HOMES:
            return None
        home = importlib.import_module(f"autogen_streamtrace.commands.{_HOMES[cmd_name]}")
        command: click.Command = getattr(home, cmd_name)
        return command


@click.group("autogen-streamtrace", cls=_Commands)
@click.version_option(package_name="autogen-streamtrace", prog_name="autogen-streamtrace")
def app() -> None:
    """Says how each AutoGen stream ended, who ended it, what it was waiting for, and which limit explains it."""


def main() -> None:
    """Runs the command line of this process."""
    app(prog_name="autogen-streamtrace")


if __name__ == "__main__":
    main()
