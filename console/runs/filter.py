"""Which runs a list shows: its filter as it stands in the address, and what there is to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.http import QueryDict

from console import asked
from console.asked import Option
from console.sites import site_asked
from monitoring.models import Run, Workflow
from monitoring.models.telemetry import RunStatus
from monitoring.selectors.runs import runs_filtered
from monitoring.selectors.visibility import visible_processes, visible_rows
from partners.viewer import Viewer

#: A menu with more entries than this finds nothing for anybody; the search by key does.
_MOST_CHOICES = 300
_TRACE_DIGITS = 32


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What the address asks for. `key` is `order:4711`, a bare value, or a trace id."""

    key: str = ""
    status: str = ""
    workflow: int | None = None
    process: int | None = None
    range: str = ""
    site: str = ""
    before: str = ""

    @classmethod
    def read(cls, query: QueryDict) -> RunFilter:
        """Read the address."""
        return cls(
            key=asked.text(query, "key"),
            status=asked.one_of(query, "status", RunStatus.values),
            workflow=asked.number(query, "workflow"),
            process=asked.number(query, "process"),
            range=asked.one_of(query, "range", asked.RANGES),
            site=asked.text(query, "site", 60),
            before=asked.text(query, "before", 60),
        )

    @property
    def narrowed(self) -> bool:
        """Whether anything is chosen."""
        return bool(self.key or self.status or self.workflow or self.process or self.range)


def runs_asked(viewer: Viewer, wanted: RunFilter, now: datetime) -> QuerySet[Run]:
    """Return the runs of the list, newest first."""
    trace_id = _trace_id(wanted.key)
    span = asked.RANGES.get(wanted.range)
    return runs_filtered(
        viewer,
        key="" if trace_id else wanted.key,
        trace_id=trace_id,
        status=wanted.status,
        workflow=wanted.workflow,
        process=wanted.process,
        site=site_asked(viewer, wanted.site),
        since=now - span[1] if span else None,
    )


def choices(viewer: Viewer) -> dict[str, list[Option]]:
    """Return what each filter offers."""
    workflows = visible_rows(viewer, Workflow).order_by("name").values_list("pk", "name")[:_MOST_CHOICES]
    processes = visible_processes(viewer).order_by("name").values_list("pk", "name")[:_MOST_CHOICES]
    return {
        "status": [Option(value, str(label)) for value, label in RunStatus.choices],
        "workflow": [Option(str(pk), name) for pk, name in workflows],
        "process": [Option(str(pk), name) for pk, name in processes],
        "range": [Option(name, label) for name, (label, _) in asked.RANGES.items()],
    }


def _trace_id(key: str) -> bytes | None:
    """A whole trace id pasted into the search finds its run."""
    if len(key) != _TRACE_DIGITS:
        return None
    try:
        return bytes.fromhex(key)
    except ValueError:
        return None
