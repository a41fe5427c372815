"""``instrument()`` where the official instrumentation of the HTTP client fails; prints what stays patched."""

import contextlib
from typing import Any

from programs.patched import CLIENTS, attributes, changed
from programs.watching import watching


def fails(*args: Any, **keywords: Any) -> None:
    raise ArithmeticError("a defect of another's")


before = attributes()
next(iter(CLIENTS.values()))._instrument = fails
with contextlib.suppress(ArithmeticError), watching():
    pass
print(sorted(changed(before)))
