"""The catalogue of limits that cut streams, and which of them explains an ending."""

from autogen_streamtrace.core.verdict.limits import Observation
from autogen_streamtrace.limits.catalogue import CatalogueError, KnownLimit, builtin, load
from autogen_streamtrace.limits.matching import LimitMatcher, tolerance

__all__ = ["CatalogueError", "KnownLimit", "LimitMatcher", "Observation", "builtin", "load", "tolerance"]
