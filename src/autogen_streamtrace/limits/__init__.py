"""The catalogue of limits that cut streams, and which of them explains an ending."""

from .attribution import Attribution, Seen, tolerance
from .catalogue import CatalogueError, KnownLimit, builtin, load

__all__ = ["Attribution", "CatalogueError", "KnownLimit", "Seen", "builtin", "load", "tolerance"]
