"""All instruments of a meter provider, and the sources of those that are observed."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.errors import contained_errors
from autogen_streamtrace.core.telemetry.counters import Counters
from autogen_streamtrace.core.telemetry.counts import Tables, Total
from autogen_streamtrace.core.telemetry.histograms import Histograms
from autogen_streamtrace.core.verdict.node import StreamNode, doing


class Watched(NamedTuple):
    """The sources of the observed instruments, for one ``instrument()``."""

    waiting: Callable[[], int]
    """Facts that wait for the judge."""
    oldest: Callable[[], dict[str, float]]
    """Age in seconds of the oldest open stream of each layer."""
    stalled: Callable[[], list[StreamNode]]
    """The streams that are stalled now."""
    counters: Counters


class Meters:
    """All instruments of one meter provider. Each provider has one ``Meters``.

    A meter never replaces the callbacks of an observable instrument. So the callbacks are made once, and look up their
    present sources.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.tables = tables = Tables()
        self._watched: Watched | None = None
        self._layers: set[str] = set()
        self._totals: dict[str, Total] = {}
        self._states: dict[str, Callable[[], int] | None] = {}
        self.histograms = Histograms(meter)
        counter, level = meter.create_observable_counter, meter.create_observable_up_down_counter
        counter(sc.M_STARTED, [self.histograms.rows.add, tables.started.observe], "{stream}", "Streams that started.")
        counter(sc.M_ENDED, [tables.ended.observe], "{stream}", "Streams that ended.")
        counter(sc.M_CUT, [tables.cut.observe], "{stream}", "Early endings, each once, at its origin.")
        level(sc.M_OPEN, [tables.open.observe], "{stream}", "Streams that are open.")
        level(sc.M_STALLED, [self._observe_stalled], "{stream}", "Open streams whose items have stopped.")
        level(sc.M_QUEUE, [self._observe_waiting], "{fact}", "Facts that wait for the judge.")
        meter.create_observable_gauge(sc.M_OLDEST, [self._observe_oldest], "s", "Age of the oldest open stream.")
        self.count(sc.M_ERRORS, "{error}", "Defects of the instrument, contained.", contained_errors)

    def watch(self, watched: Watched) -> None:
        """Observes these sources from now on."""
        self._watched = watched
        self.count(sc.M_CAPPED, "{name}", "Label values that read _OTHER.", lambda: self._capped(watched.counters))

    def leave(self, counters: Counters) -> None:
        """Stops observing the sources with these counters; the sums remain."""
        if self._watched is not None and self._watched.counters is counters:
            self._watched = None
            for name, total in self._totals.items():
                if name != sc.M_ERRORS:
                    total.rest()
            self._states = dict.fromkeys(self._states)

    def clear(self) -> None:
        """Sets every count to nothing."""
        self.tables.clear()
        self.histograms.clear()
        for total in self._totals.values():
            total.clear()

    def state(self, name: str, description: str, value: Callable[[], int]) -> None:
        """An observable gauge without attributes."""
        if name not in self._states:
            self._meter.create_observable_gauge(name, [partial(self._observe_state, name)], "{state}", description)
        self._states[name] = value

    def count(self, name: str, unit: str, description: str, value: Callable[[], int]) -> None:
        """An observable counter without attributes."""
        if name not in self._totals:
            total = self._totals[name] = Total()
            callback = [lambda options: [Observation(total.read())]]
            self._meter.create_observable_counter(name, callback, unit, description)
        self._totals[name].follow(value)

    def _observe_state(self, name: str, options: CallbackOptions) -> Iterable[Observation]:
        value = self._states[name]
        return [Observation(value())] if value is not None else []

    def _observe_waiting(self, options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._watched.waiting() if self._watched is not None else 0)]

    def _observe_oldest(self, options: CallbackOptions) -> Iterable[Observation]:
        now = self._watched.oldest() if self._watched is not None else {}
        self._layers.update(now)
        return [Observation(now.get(layer, 0.0), {sc.A_LAYER: layer}) for layer in sorted(self._layers)]

    def _observe_stalled(self, options: CallbackOptions) -> Iterable[Observation]:
        level, watched = self.tables.stalled, self._watched
        level.zero()
        if watched is not None:
            for node in watched.stalled():
                level.add(1, watched.counters.waiting(node.state.labels, *doing(node)))
        return level.observe(options)

    def _capped(self, counters: Counters) -> int:
        return counters.capped + self.histograms.capped


_made: Final[WeakKeyDictionary[MeterProvider, Meters]] = WeakKeyDictionary()


def meters_of(provider: MeterProvider, scope: str, version: str) -> Meters:
    """The instruments of a provider; makes them the first time."""
    try:
        found = _made.get(provider)
        if found is None:
            found = _made[provider] = Meters(provider.get_meter(scope, version))
    except TypeError:  # it cannot be recognised later
        return Meters(provider.get_meter(scope, version))
    return found
