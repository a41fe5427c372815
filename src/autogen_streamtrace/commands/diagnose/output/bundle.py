"""The page of `ui` as one file that needs nothing but itself."""

import base64
import hashlib
import re
from html import escape
from typing import Any, Final

import orjson

from autogen_streamtrace.commands.ui.assets import page_files, plotly

_IMPORT: Final = re.compile(r"^import (?:\* as (?P<all>\w+)|\{(?P<some>[^}]*)\}) from '(?P<path>[^']+)'$", re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(?:async )?(?:const|function|class) (\w+))", re.MULTILINE)
_EXPORTED: Final = re.compile(r"^export (?:async )?(?:const|function|class) (\w+)", re.MULTILINE)
_MAIN: Final = "main.js"
_STYLES: Final = ("style/base.css", "style/parts.css", "style/views.css")
_PLOTS_STYLE: Final = "style/plots.css"


def one_file(title: str, documents: dict[str, Any]) -> str:
    """The page's HTML.

    Args:
        title: of the window.
        documents: what its server would answer, by the path under ``/api/``.
    """
    files = {path: data.decode() for path, data in page_files().items()}
    script = _script(files)
    style = "\n".join(files[path] for path in _STYLES)
    library = plotly().decode()
    scripts = " ".join(_hash(each) for each in (script, library))
    styles = " ".join(_hash(each) for each in (style, files[_PLOTS_STYLE]))
    policy = f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src data: blob:; base-uri 'none'"
    icon = base64.b64encode(files["icon.svg"].encode()).decode()
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<link rel="icon" href="data:image/svg+xml;base64,{icon}">
<style>{style}</style>
<style id="plotly.js-style-global">{files[_PLOTS_STYLE]}</style>
</head>
<body>
<noscript>This page needs JavaScript.</noscript>
<script type="application/json" id="embedded">{_json(documents)}</script>
<script type="text/plain" id="plotly">{library}</script>
<script>{script}</script>
</body>
</html>
"""


def _json(documents: dict[str, Any]) -> str:
    """JSON in which no name can end the element around it."""
    return orjson.dumps(documents, option=orjson.OPT_NON_STR_KEYS).decode().replace("<", "\\u003c")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _script(files: dict[str, str]) -> str:
    """The modules as one script, each in a scope of its own, those that it imports before it."""
    ordered: list[str] = []

    def visit(path: str) -> None:
        if path not in ordered:
            for match in _IMPORT.finditer(files[path]):
                visit(_resolved(path, match["path"]))
            ordered.append(path)

    visit(_MAIN)
    modules = "".join(_module(path, files[path]) for path in ordered)
    return f"(async () => {{\nconst modules = {{}}\n{modules}}})()"


def _module(path: str, text: str) -> str:
    names = ", ".join(_EXPORTED.findall(text))

    def taken(match: re.Match[str]) -> str:
        bound = match["all"] or f"{{{match['some']}}}".replace(" as ", ": ")
        return f"const {bound} = modules['{_resolved(path, match['path'])}']"

    body = _EXPORT.sub("", _IMPORT.sub(taken, text))
    return f"modules['{path}'] = await (async () => {{\n{body}\nreturn {{ {names} }}\n}})()\n"


def _resolved(path: str, relative: str) -> str:
    """The path of a module that another one imports."""
    parts = path.split("/")[:-1]
    for part in relative.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
