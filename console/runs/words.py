"""Says in one sentence what became of a run. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from console.runs.waterfall import span_duration
from console.sla_clock import SlaClock
from monitoring.models import Attempt, Run
from monitoring.models.telemetry import RunStatus


def run_sentence(run: Run, attempts: Sequence[Attempt], clock: SlaClock | None, now: datetime) -> str:
    """`Order release ERP → MES failed after 3 attempts, 4 min past its SLA.`"""
    return f"{run_subject(run)} {_what(run, attempts, now)}{_promise(clock)}."


def run_subject(run: Run) -> str:
    """Name the business process, or the automation where nobody has said which it serves."""
    return run.process.name if run.process else run.workflow.name


def run_duration(run: Run) -> str:
    """Return how long it took, from its first to its last instant."""
    return span_duration(max(0, round((run.ended_at - run.started_at).total_seconds() * 1e9)))


def _what(run: Run, attempts: Sequence[Attempt], now: datetime) -> str:
    tries = _tries(run, attempts)
    match run.status:
        case RunStatus.OK:
            return f"finished in {run_duration(run)}" + (f" after {tries}" if run.retries else "")
        case RunStatus.ERROR:
            return f"failed after {tries}" if tries else f"failed after {run_duration(run)}"
        case RunStatus.DEAD:
            left = f"left {_counted(run.dead_letters, 'dead letter')}"
            return f"gave up after {tries} and {left}" if tries else left
        case _:
            so_far = span_duration(max(0, round((now - run.started_at).total_seconds())) * 1_000_000_000)
            return f"has been running for {so_far}" + (f" with {_counted(run.retries, 'retry')}" if run.retries else "")


def _tries(run: Run, attempts: Sequence[Attempt]) -> str:
    """One unit of work: its attempts. Several: the retries over all of them. A plain first try: nothing to say."""
    if not run.retries:
        return ""
    units = {attempt.unit_id for attempt in attempts}
    if len(units) == 1:
        return _counted(max(attempt.attempt for attempt in attempts), "attempt")
    return _counted(run.retries, "retry")


def _promise(clock: SlaClock | None) -> str:
    if clock is None:
        return ""
    match clock.state:
        case "ok":
            return f", with {clock.margin} to spare"
        case "breach":
            return f", {clock.margin} past its SLA"
        case _ if not clock.runs_on:
            return f", {clock.margin} before its SLA was due"
        case _:
            return f", {clock.margin} left on its SLA"


def _counted(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
