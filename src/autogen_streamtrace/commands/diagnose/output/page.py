"""The diagnosis as one page that needs nothing but itself."""

from pathlib import Path
from typing import Final

import plotly.graph_objects as go  # type: ignore[import-untyped]
from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

from autogen_streamtrace.commands.diagnose.findings import Diagnosis
from autogen_streamtrace.commands.diagnose.output import plots
from autogen_streamtrace.commands.reading.files import Streams

_CONFIG: Final = {"responsive": True, "displaylogo": False, "displayModeBar": False}


def write(path: Path, diagnosis: Diagnosis, streams: Streams) -> None:
    """Writes the page.

    Raises:
        OSError: the file cannot be written.
    """
    path.write_text(render(diagnosis, streams), encoding="utf-8")


def render(diagnosis: Diagnosis, streams: Streams) -> str:
    """The page as text. A name is always shown as text, never as markup."""
    environment = Environment(
        loader=PackageLoader("autogen_streamtrace.commands.diagnose.output", "templates"), autoescape=True
    )
    table = streams.table
    return environment.get_template("page.html.jinja").render(
        diagnosis=diagnosis,
        streams=streams,
        library=Markup(get_plotlyjs()),
        endings=_html(plots.endings(table), "endings"),
        silences=_html(plots.times(table, "silence", diagnosis.findings), "silences"),
        durations=_html(plots.times(table, "duration", diagnosis.findings), "durations"),
        paths=[
            (trace, title, _html(figure, f"path-{at}"))
            for at, (trace, title, figure) in enumerate(plots.paths(table, diagnosis))
        ],
    )


def _html(figure: go.Figure, name: str) -> Markup:
    """The plot's markup; plotly escapes its data."""
    return Markup(figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=_CONFIG))
