"""Writes `docs/game-day.md` from `examples/game-day.toml`: `python docs/game_day.py`."""

from pathlib import Path

from autogen_streamtrace.commands.chaos.rehearsal.plan import Plan, Step, read

ROOT = Path(__file__).resolve().parents[1]
PLAN = ROOT / "examples" / "game-day.toml"
PAGE = Path(__file__).with_name("game-day.md")

BEFORE = """\
# A game day: an hour through every outcome

<!-- Made by `python docs/game_day.py` from examples/game-day.toml; what is changed here by hand is lost. -->

A team sits before its dashboards and alerts, and meets each way in which a stream ends. The hour takes {minutes}
minutes and {steps} steps.

One reads the steps aloud and starts the program. The others say what they see, who ended the streams, and what they
would change, before they look below. Write down what nobody found, and each alert that came late or reached nobody.

## Before

In a copy of the repository:

```
pip install -e '.[chaos,demo,ui]'
docker compose up --detach                # or your own Collector, Prometheus and Grafana
export OTEL_METRIC_EXPORT_INTERVAL=10000  # milliseconds: alerts come sooner than with a minute
```

In a terminal of its own:

```
autogen-streamtrace chaos --plan examples/game-day.toml
```

It says what each step is as it begins, and goes on after the step's minutes, or when somebody presses Enter. Ctrl-C
ends it. No key is needed: a model of its own answers. The program asks `http://127.0.0.1:9100/v1`, unless
`OPENAI_BASE_URL` says otherwise.

Each step has a service of its own, so that the faults of one do not thin out the next one's share of all turns:
choose it on the dashboard. Beside them, have `autogen-streamtrace top` open, and the log events. The page needs the
programs' telemetry: let the Collector send it to `autogen-streamtrace ui` as well.

Who has neither Docker nor a Collector plays the day with the page alone, without alerts: `autogen-streamtrace ui` in
place of the second line, and at the end the report says of each step whether the page has seen it:

```
autogen-streamtrace chaos --plan examples/game-day.toml --verdicts ui
```

An alert waits, so it may fire a step later.

To do it with your own program, write your own plan, with the commands that start it. `--verdicts FILE|URL|ui` reads
the telemetry at the end, as [chaos](chaos.md) does, and says of each step whether it was seen; the exit status is 1
where one was not. A stream belongs to the step in which it began. Read spans where you can: those that were not sampled
cannot be seen, and log events tell neither of a stream that completed inside another nor when it began.

## The steps

| minutes | step | outcome | ended by | alert |
|---|---|---|---|---|
{rows}
"""

AFTER = """\
## A plan of your own

A plan is TOML, a table `[[step]]` a step. `name`, `minutes` and `outcome` are needed.

| key | |
|---|---|
| `name`, `minutes` | the title, and how long it takes |
| `faults` | as after `--fault` and `--like`: `["stall after=2s every=3", "nginx.proxy_read_timeout=3s"]` |
| `model` | how the model of `chaos` replies: `slow`, `length`, `content_filter`, `tool_call`, … |
| `do`, `run` | what somebody does; the commands |
| `outcome`, `ended_by`, `layer`, `loop_late` | what the telemetry is to say; `loop_late` in seconds, at least |
| `alerts`, `panels`, `runbook`, `see`, `change` | what is told |

A name that is not known is an error that says what is allowed. `seed` at the top makes dice repeatable.
"""


def page(plan: Plan) -> str:
    """The page of this plan."""
    rows = "\n".join(_row(number, step) for number, step in enumerate(plan.steps, 1))
    minutes = f"{sum(step.minutes for step in plan.steps):g}"
    before = BEFORE.format(minutes=minutes, steps=len(plan.steps), rows=rows)
    return "\n".join([before, *(_section(number, step) for number, step in enumerate(plan.steps, 1)), AFTER])


def _row(number: int, step: Step) -> str:
    alerts = ", ".join(f"`{alert}`" for alert in step.alerts) or "none"
    return f"| {step.minutes:g} | {number}. {step.name} | `{step.outcome}` | `{step.ended_by}` | {alerts} |"


def _section(number: int, step: Step) -> str:
    told = [f"### {number}. {step.name}", step.do, "\n".join(["```", *step.run, "```"])]
    if step.faults:
        told.append(f"The proxy: `{'`, `'.join(step.faults)}`.")
    elif step.model != "ok":
        told.append(f"The model replies as `{step.model}`.")
    late = f"The event loop was late by {step.loop_late:g} s or more. " if step.loop_late else ""
    told.append(f"- **It ends**: `{step.outcome}`, by `{step.ended_by}`, in the layer `{step.layer}`. {late}{step.see}")
    told[-1] += f"\n- **Panels**: {', '.join(f'*{panel}*' for panel in step.panels)}."
    told[-1] += f"\n- **Alert**: {', '.join(f'`{alert}`' for alert in step.alerts) or 'none'}."
    if step.runbook:
        told[-1] += f"\n- **Runbook**: [{step.runbook}](runbooks/{step.runbook}.md)."
    told[-1] += f"\n- **Change**: {step.change}\n"
    return "\n\n".join(told)


if __name__ == "__main__":
    PAGE.write_text(page(read(PLAN)), encoding="utf-8")
