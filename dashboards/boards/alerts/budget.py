"""Faults that burn the error budget, or that are new."""

from typing import Final

from ..promql import plain, total
from ..recording import CAUSE, OBJECTIVE_SERIES, added_up, faults, turns
from ..vocabulary import L_FAULT, L_OUTCOME
from .alert import COUNT, JOB, LEAST, PAGE, SEVERAL, SHARE, TICKET, WHO, WHY, Alert, Severity, at

BURNS: Final[tuple[tuple[float, str, str, Severity, str], ...]] = (
    (14.4, "1h", "5m", PAGE, "2m"),
    (6.0, "6h", "30m", PAGE, "5m"),
    (3.0, "1d", "2h", TICKET, "15m"),
    (1.0, "3d", "6h", TICKET, "30m"),
)
"""Factor, long window, short window, severity, `for`: https://sre.google/workbook/alerting-on-slos/"""


def budget() -> str:
    return f"(1 - scalar({OBJECTIVE_SERIES}))"


def fault_turns(window: str) -> str:
    return total(plain(turns(window), f'{L_FAULT}="true"'), *JOB)


def all_turns(window: str) -> str:
    return total(turns(window), *JOB)


def failing(window: str) -> str:
    return f"{fault_turns(window)} / ({all_turns(window)} > 0)"


def of_cause(window: str) -> str:
    return total(faults(window), *JOB, *CAUSE)


def burns_of_causes() -> list[Alert]:
    """One cause, at its origin, burns the error budget of the outermost streams."""

    on_job = f"on ({', '.join(JOB)})"

    def ratio(window: str) -> str:
        return f"{of_cause(window)} / {on_job} group_left () ({all_turns(window)} > 0)"

    return [
        Alert(
            name=f"StreamFaultsOfOneCause{long.upper()}",
            expr=f"({ratio(long)} > {factor:g} * {budget()})\n"
            f"and ({ratio(short)} > {factor:g} * {budget()})\n"
            f"and ({of_cause(long)} >= {LEAST})\n"
            f"and {on_job} ({failing(long)} > {factor:g} * {budget()})",
            severity=severity,
            wait=wait,
            keep=short,
            summary=f"{WHO}: {WHY}; {SHARE} of all turns within {long}",
            does=f"This cause alone uses up the error budget of 30 days in {30 / factor:.0f} days, as measured "
            f"over {long} and over {short}, with {LEAST} faults at least.",
            runbook=at(L_OUTCOME),
            scope="origin",
        )
        for factor, long, short, severity, wait in BURNS
    ]


def burns_of_turns() -> list[Alert]:
    """All faults of the outermost streams together burn the error budget."""

    burning = [
        Alert(
            name=f"TurnFaultsBurnBudget{long.upper()}",
            expr=f"({failing(long)} > {factor:g} * {budget()})\n"
            f"and ({failing(short)} > {factor:g} * {budget()})\n"
            f"and ({fault_turns(long)} >= {LEAST})",
            severity=severity,
            wait=wait,
            keep=short,
            summary=f"{WHO}: {SHARE} of the outermost streams (agent and team turns) ended with a fault within {long}; "
            "no single cause or limit need explain it",
            does=f"At this pace the error budget of 30 days is used up in {30 / factor:.0f} days, as measured "
            f"over {long} and over {short}, with {LEAST} faults at least.",
            runbook="README",
            scope="turns",
        )
        for factor, long, short, severity, wait in BURNS
    ]
    few = Alert(
        name="SeveralTurnFaults",
        expr=f"({fault_turns('6h')} >= {SEVERAL} < {LEAST})\nand ({failing('6h')} > {budget()})",
        severity=TICKET,
        wait="15m",
        keep="1h",
        summary=f"{WHO}: {COUNT} outermost streams (agent and team turns) ended with a fault within 6h, too few for a "
        "burn rate and more than the objective allows; no single cause or limit need explain them",
        does=f"Little traffic: {SEVERAL} to {LEAST - 1} faults in six hours, above the objective's share.",
        runbook="README",
        scope="turns",
    )
    return [*burning, few]


def faults_of_old() -> list[Alert]:
    """A cause that is new, or far more frequent than on the day before."""
    now = of_cause("1h")
    past = total(added_up(faults("5m"), "1d", " offset 1h"), *JOB, *CAUSE)
    return [
        Alert(
            name="StreamFaultsAbovePast",
            expr=f"({now} >= {LEAST / 2:g})\nunless ({now} <= 3 * {past} / 24)",
            severity=TICKET,
            wait="5m",
            keep="30m",
            summary=f"{WHO}: {WHY}; {COUNT} within 1h, over three times as many as in an hour of the day before",
            does="A cause that was not there the day before, or three times as frequent as then.",
            runbook=at(L_OUTCOME),
            scope="origin",
        )
    ]
