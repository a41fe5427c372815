"""The instrument's own health."""

from ..promql import plain, total
from ..vocabulary import CAPPED, DROPPED, ERRORS, EXPORT_FAILURES, RECORDER, RECORDER_FAILS
from .alert import COUNT, JOB, TICKET, WHO, Alert, at


def ourselves() -> list[Alert]:
    """The instrument's own health."""
    grown = "increase({}[1h])".format
    overflow = plain("", '__name__=~"streamtrace_.+|gen_ai_.+"', 'otel_metric_overflow="true"')
    lacking = " or ".join(f"({total(grown(each), *JOB)} > 0)" for each in (DROPPED, EXPORT_FAILURES, ERRORS))
    return [
        Alert(
            name="RecorderUnusable",
            expr=f"max by ({', '.join((*JOB, 'instance'))}) ({RECORDER}) == {RECORDER_FAILS}",
            severity=TICKET,
            wait="5m",
            keep="15m",
            summary=f"{WHO}: the flight recorder of {at('instance')} is unusable; a kill would leave no "
            "trace of its open "
            "streams, whatever layer, cause or limit",
            does="The directory is missing, full, read-only, or not the process's own.",
            runbook="recorder",
        ),
        Alert(
            name="TelemetryIncomplete",
            expr=lacking,
            severity=TICKET,
            wait="5m",
            keep="30m",
            summary=f"{WHO}: records were dropped, exports failed, or the instrument had a defect of its "
            f"own, {COUNT} times "
            "within 1h; what layer, cause and limit say is incomplete",
            does="What dashboards show of this job is not all that happened.",
            runbook="no-telemetry",
        ),
        Alert(
            name="LabelsOverflow",
            expr=f"{total(grown(CAPPED), *JOB)} > 0\nor group by ({', '.join(JOB)}) ({overflow})",
            severity=TICKET,
            wait="15m",
            keep="1h",
            summary=f"{WHO}: more names than max_names allows, or more than 2,000 sets of attributes; in "
            "every layer some "
            "names and causes read _OTHER, no limit cut a stream",
            does="Some label takes too many values: a name with an id or a date in it, most often.",
            runbook="label-overflow",
        ),
    ]
