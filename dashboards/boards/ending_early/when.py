"""The rows that say how many, since when, and after what silence."""

from .. import limits
from ..common import Panels
from ..panels import COUNT, PERCENT, THIRD, WIDE, ask, ask_now, bars, ladder, lines, number, rows_of_heat
from ..promql import edge, exact, select, share, total
from ..recording import CAUSE, LOST, ended, faults
from ..vocabulary import CUT, L_CAUSE, L_ENDED_BY, L_LAYER, L_LIMIT, L_OUTCOME, L_OUTERMOST, OPEN, SILENCE, VERSION
from .endings import FAULT, KILLED, NAMED, ORIGIN, OTHER_EARLY, RANGE, STEP, endings


def now() -> Panels:
    """Figures."""
    outermost = f'{L_OUTERMOST}="true"'
    all_turns = total(endings(outermost))
    return [
        number(
            "Faults",
            "Streams in the time range that ended with a fault, each counted once, in the layer where it arose.",
            COUNT,
            ask_now(total(endings(ORIGIN, FAULT))),
            bad_from=1,
        ),
        number(
            "Other early endings",
            "Streams that ended early without a fault: at the token limit, by the filter, or because the caller left.",
            COUNT,
            ask_now(total(endings(ORIGIN, *OTHER_EARLY))),
        ),
        number(
            "Turns with a fault",
            "Share of the outermost streams, those that the program itself reads, that ended with a fault.",
            PERCENT,
            ask_now(share(total(endings(outermost, FAULT)), all_turns)),
            bad_from=0.01,
        ),
        number(
            "Killed",
            "Streams that were open when their process died, as recovery has counted them.",
            COUNT,
            ask_now(f"{total(endings(ORIGIN, KILLED))} or vector(0)"),
            bad_from=1,
        ),
        number(
            "Lost",
            "Streams that started in processes that are gone, of which nobody has said how they ended.",
            COUNT,
            ask_now(f"{total(select(LOST))} or vector(0)"),
            bad_from=1,
        ),
        number(
            "Open",
            "Streams that are open at the end of the time range, of every layer.",
            COUNT,
            ask_now(total(select(OPEN))),
        ),
    ]


def since_when() -> Panels:
    """Over time."""
    causes = f"{{{{{L_LAYER}}}}} {{{{{L_OUTCOME}}}}} {{{{{L_CAUSE}}}}} {{{{{L_LIMIT}}}}}"
    return [
        bars(
            "Faults by layer of origin",
            "Streams that ended with a fault, by the layer in which it arose and how they ended; each "
            "bar counts its own time.",
            COUNT,
            ask(
                total(endings(ORIGIN, FAULT, window=STEP), L_LAYER, L_OUTCOME), f"{{{{{L_LAYER}}}}} {{{{{L_OUTCOME}}}}}"
            ),
        ),
        bars(
            "Other early endings, by who ended them",
            "Streams that ended early without a fault; each bar counts its own time.",
            COUNT,
            ask(
                total(endings(ORIGIN, *OTHER_EARLY, window=STEP), L_ENDED_BY, L_OUTCOME),
                f"{{{{{L_ENDED_BY}}}}} {{{{{L_OUTCOME}}}}}",
            ),
        ),
        bars(
            "Faults by who ended the stream",
            "The provider or anything between, a timeout of this process, a tool, an agent, or the process itself.",
            COUNT,
            ask(total(endings(ORIGIN, FAULT, window=STEP), L_ENDED_BY), f"{{{{{L_ENDED_BY}}}}}"),
            width=THIRD,
        ),
        lines(
            "Share of streams with a fault, by layer",
            "Of the streams of each layer that ended within five minutes; the alerts' recording rules count them.",
            PERCENT,
            ask(
                share(
                    total(select(ended("5m"), FAULT), L_LAYER),
                    total(select(ended("5m")), L_LAYER),
                ),
                f"{{{{{L_LAYER}}}}}",
            ),
            width=THIRD,
        ),
        lines(
            "Share of turns with a fault, by version",
            "Outermost streams, of each service.version: this release beside the last.",
            PERCENT,
            ask(
                share(
                    total(select(ended("1h"), FAULT, f'{L_OUTERMOST}="true"'), VERSION),
                    total(select(ended("1h"), f'{L_OUTERMOST}="true"'), VERSION),
                ),
                f"{{{{{VERSION}}}}}",
            ),
            width=THIRD,
        ),
        lines(
            "Faults within the hour before, by cause, as the alerts see them",
            "Read from the same recording rule as the alerts. An agent's or a model's name narrows it.",
            COUNT,
            ask(total(select(faults("1h"), f'{L_LAYER}!~"agent|model"'), *CAUSE), causes),
            ask(total(select(faults("1h"), f'{L_LAYER}=~"agent|model"', *NAMED), *CAUSE), causes),
            width=WIDE - THIRD,
            listed=True,
        ),
        lines(
            "Early endings a second, each with its trace",
            "The points are exemplars: each leads to the trace of one stream that ended early.",
            "cps",
            ask(
                total(f"rate({select(CUT)}[$__rate_interval])", L_LAYER, L_OUTCOME),
                f"{{{{{L_LAYER}}}}} {{{{{L_OUTCOME}}}}}",
                exemplars=True,
            ),
            width=THIRD,
        ),
    ]


def silence() -> Panels:
    """How long nothing had come before the end: a cluster at one limit is that limit's doing."""

    def below(le: float | None) -> str:
        bucket = f"{SILENCE}_bucket"
        return select(bucket, 'le="+Inf"' if le is None else edge(le))

    def between(low: float | None, high: float | None, window: str) -> str:
        upper = total(exact(below(high), window))
        return upper if low is None else f"{upper} - {total(exact(below(low), window))}"

    return [
        rows_of_heat(
            "Silence before the end",
            "Early endings by the seconds that nothing had come before; rows marked ◀ surround a limit "
            "that many deployments "
            "share. One dark row is one limit.",
            COUNT,
            [ask(between(low, high, STEP), row) for row, low, high in limits.rows()],
            width=16,
        ),
        ladder(
            "Early endings at a known limit",
            "How many streams ended in the narrow bucket around each known limit, in the time range.",
            COUNT,
            *(ask_now(between(low, high, RANGE), row) for row, low, high in limits.marked()),
            width=THIRD,
        ).height(16),
    ]
