"""How a run stands against its process's promise. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from monitoring.project.runs_merged import RunRow
from monitoring.promise import due_at
from monitoring.rules import SlaRule

_FIRST = RunRow._fields.index("sla_id")


def with_promise(row: RunRow, rules: Sequence[SlaRule]) -> RunRow:
    """Return the row measured against the promise that falls due first; without a promise it says so."""
    dues = [(due, rule.id) for rule in rules if (due := due_at(rule, row.started_at, row.stated_due_at)) is not None]
    if not dues:
        return row if row.sla_state == "none" else row._replace(sla_id=None, sla_due_at=None, sla_state="none")
    due, sla_id = min(dues)
    # By place rather than by name: it is done for every run.
    return RunRow._make((*row[:_FIRST], sla_id, due, _state(row, due), *row[_FIRST + 3 :]))


def _state(row: RunRow, due: datetime) -> str:
    # A running run is breached by the clock, not here: its due time is in the timers' index.
    if not row.root_seen:
        return "breached" if row.sla_state == "breached" else "running"
    if row.ended_at - timedelta(milliseconds=1) > due:
        return "breached"
    return "failed" if row.status in ("error", "dead") else "met"
