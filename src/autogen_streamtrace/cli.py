"""The command line. Each command is a module of its own."""

import typer

from autogen_streamtrace.commands.audit.command import audit
from autogen_streamtrace.commands.demo.command import demo
from autogen_streamtrace.commands.diagnose.command import diagnose
from autogen_streamtrace.commands.probe.command import echo, probe
from autogen_streamtrace.commands.recover import recover
from autogen_streamtrace.commands.top.command import top

app = typer.Typer(name="autogen-streamtrace", no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def describe() -> None:
    """Says how each AutoGen stream ended, who ended it, what it was waiting for, and which limit explains it."""


app.command("demo")(demo)
app.command("diagnose")(diagnose)
app.command("audit")(audit)
app.command("probe")(probe)
app.command("echo")(echo)
app.command("top")(top)
app.command("recover")(recover)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
