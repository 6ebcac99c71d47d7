"""Figures by workflow, process and minute of event time: each is the sum of what rows count for.

What a row counts for is a function of the row alone (of an attempt: of all that is told of its unit). So a change of
rows is a difference of figures, and the figures can be taken anew from the rows at any time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from monitoring.models.rollups import COUNTERS
from monitoring.project.plain_tries import by_minute
from monitoring.project.runs_merged import RunRow
from monitoring.project.units import Told, tries
from monitoring.rows import arrays, insert_rows
from partners.database.statements import tell

#: Whole ones are counted, as the database does: 1.001 s as a float, times a thousand, would be 1000 of them.
_MILLISECOND = timedelta(milliseconds=1)
#: Workflow, process and minute.
Place: TypeAlias = tuple[int, int | None, datetime]

_COLUMNS = [
    ("tenant_id", "int"), ("workflow_id", "bigint"), ("process_id", "bigint"), ("minute", "timestamptz"),
    *((name, "bigint") for name in COUNTERS),
]  # fmt: skip
_TAIL = "ON CONFLICT (tenant_id, workflow_id, process_id, minute) DO UPDATE SET " + ", ".join(
    f"{name} = monitoring_workflowminute.{name} + excluded.{name}" for name in COUNTERS
)
#: Never below nothing: minutes of before an upgrade may have been counted otherwise; `rebuild` puts them right.
_LESS = ", ".join(f"{name} = greatest(0, known.{name} - said.{name})" for name in COUNTERS)
_NAMES = ", ".join(name for name, _ in _COLUMNS)
_ARRAYS = ", ".join(f"%s::{kind}[]" for _, kind in _COLUMNS)
_TAKE_BACK = (
    f"UPDATE monitoring_workflowminute AS known SET {_LESS} FROM unnest({_ARRAYS}) AS said({_NAMES}) "  # noqa: S608  Constants.
    "WHERE (known.tenant_id, known.workflow_id, known.minute) = (said.tenant_id, said.workflow_id, said.minute) "
    "AND known.process_id IS NOT DISTINCT FROM said.process_id"
)


class Figures:
    """Differences that add up, place by place, until they are written."""

    def __init__(self) -> None:
        self.by_place: dict[Place, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTERS, 0))

    def run(self, row: RunRow, sign: int) -> None:
        """Count a run, once its root has arrived, in the minute it ended; and its plain tries where they ended."""
        self.plain(row.workflow_id, row.process_id, row.plain_tries, sign)
        if not row.root_seen:
            return
        counts = self.by_place[row.workflow_id, row.process_id, minute_of(row.ended_at)]
        counts["runs"] += sign
        counts["failed"] += sign * (row.status in ("error", "dead"))
        counts["sla_met"] += sign * (row.sla_state == "met")
        counts["sla_breached"] += sign * (row.sla_state in ("breached", "failed"))
        counts["duration_ms"] += sign * ((row.ended_at - row.started_at) // _MILLISECOND)
        if not row.attempts:
            # A source that says nothing of attempts has tried once.
            counts["first_attempts"] += sign
            counts["successes"] += sign * (row.status == "ok")

    def event(self, workflow_id: int, process_id: int | None, time: datetime, plain_tries: str, sign: int) -> None:
        """Count an event in its minute, and its plain tries."""
        self.by_place[workflow_id, process_id, minute_of(time)]["events"] += sign
        self.plain(workflow_id, process_id, plain_tries, sign)

    def unit(self, rows: Sequence[Told], sign: int) -> None:
        """Count what was told of a unit: each try once."""
        for found in tries(rows):
            row = found.row
            counts = self.by_place[row.workflow_id, row.process_id, minute_of(row.at)]
            counts["retries" if found.again else "first_attempts"] += sign
            counts["successes"] += sign * found.well
            counts["retry_successes"] += sign * (found.well and found.again)

    def deaths(self, places: Iterable[Place], sign: int) -> None:
        """Count each time that a unit came to stand still."""
        for place in places:
            self.by_place[place]["dead_letters"] += sign

    def plain(self, workflow_id: int, process_id: int | None, text: str, sign: int) -> None:
        """Count first tries that went well."""
        for minute, count in by_minute(text) if text else ():
            counts = self.by_place[workflow_id, process_id, minute]
            counts["first_attempts"] += sign * count
            counts["successes"] += sign * count

    def write(self, tenant_id: int) -> int:
        """Add the differences to the table, in one order of its rows; return how many minutes changed."""
        changed = sorted(
            ((key, counts) for key, counts in self.by_place.items() if any(counts.values())), key=_in_order
        )
        more = [(tenant_id, *key, *(max(0, count) for count in counts.values())) for key, counts in changed]
        insert_rows("monitoring_workflowminute", _COLUMNS, more, _TAIL)
        less = [
            (tenant_id, *key, *(max(0, -count) for count in counts.values()))
            for key, counts in changed
            if min(counts.values()) < 0
        ]
        if less:
            tell(_TAKE_BACK, arrays([kind for _, kind in _COLUMNS], zip(*less, strict=True)))
        return len(changed)


def minute_of(instant: datetime) -> datetime:
    """Return the minute that an instant lies in."""
    return instant.replace(second=0, microsecond=0)


def _in_order(item: tuple[Place, object]) -> tuple[int, int, datetime]:
    workflow_id, process_id, minute = item[0]
    return workflow_id, process_id or 0, minute
