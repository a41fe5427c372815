"""Finds the classes in the installed packages' sources: also those whose own dependencies are not installed."""

import ast
import importlib.util
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

Kind = Literal["agent", "team", "client", "tool", "workbench"]

PACKAGES: Final = ("autogen_core", "autogen_agentchat", "autogen_ext")
ROOTS: Final[dict[Kind, frozenset[str]]] = {
    "agent": frozenset({"ChatAgent"}),
    "team": frozenset({"Team"}),
    "client": frozenset({"ChatCompletionClient"}),
    "tool": frozenset({"Tool", "BaseTool"}),
    "workbench": frozenset({"Workbench"}),
}
"""What makes a class one of its kind."""


class Found(NamedTuple):
    """A class as its source tells."""

    name: str
    kind: Kind
    module: str


class _Definition(NamedTuple):
    module: str
    bases: tuple[str, ...]


@cache
def found() -> tuple[Found, ...]:
    """Every class of every kind, by kind and name."""
    definitions = _definitions(PACKAGES)
    return tuple(
        Found(name, kind, definitions[name].module)
        for kind, roots in ROOTS.items()
        for name in sorted(definitions)
        if name not in roots and _descends(name, roots, definitions)
    )


def descendants(packages: Iterable[str], roots: Iterable[str]) -> dict[str, str]:
    """The module of each class that is one of ``roots`` or descends from one, by name."""
    definitions, among = _definitions(packages), frozenset(roots)
    return {
        name: definition.module
        for name, definition in sorted(definitions.items())
        if name in among or _descends(name, among, definitions)
    }


def _definitions(packages: Iterable[str]) -> dict[str, _Definition]:
    return {node.name: _Definition(module, _bases(node)) for module, node in _nodes(packages)}


def _nodes(packages: Iterable[str]) -> Iterator[tuple[str, ast.ClassDef]]:
    for package in packages:
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.origin is not None
        folder = Path(spec.origin).parent
        for file in sorted(folder.rglob("*.py")):
            module = ".".join([package, *file.relative_to(folder).with_suffix("").parts]).removesuffix(".__init__")
            tree = ast.parse(file.read_text(encoding="utf-8"))
            yield from ((module, node) for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def _bases(node: ast.ClassDef) -> tuple[str, ...]:
    return tuple(ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases)


def _descends(name: str, roots: frozenset[str], definitions: dict[str, _Definition]) -> bool:
    seen, waiting = {name}, [name]
    while waiting:
        definition = definitions.get(waiting.pop())
        for base in definition.bases if definition is not None else ():
            if base in roots:
                return True
            if base not in seen:
                seen.add(base)
                waiting.append(base)
    return False
