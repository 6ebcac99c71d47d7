"""The spans and log records of a run, read back out of the intake log: no row is kept for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from monitoring.decode import decode, spans_of
from monitoring.models import Intake, Run, TraceLog
from monitoring.records import NOTHING, Attributes, LogRecord, Signal, SpanRecord
from monitoring.selectors.payloads import intakes, payload_of, told_of_run
from monitoring.selectors.visibility import visible_rows
from monitoring.spans_once import spans_once
from partners.permission import require
from partners.roles import Right
from partners.viewer import Viewer

#: What stays readable without the right to see payloads: which program a span ran in.
_NAMES_ONLY = ("service.name",)


def spans_of_run(viewer: Viewer, run_id: int) -> tuple[SpanRecord, ...]:
    """Return a run's spans by start, each once; without VIEW_PAYLOAD with names, times and status only. Raises
    Run.DoesNotExist where the viewer may not see the run."""
    trace_id, told = told_of_run(viewer, run_id)
    spans = spans_within(told, trace_id)
    if viewer.may(Right.VIEW_PAYLOAD):
        return spans
    return tuple(_without_payload(span) for span in spans)


def spans_within(stored: Iterable[Intake], trace_id: bytes) -> tuple[SpanRecord, ...]:
    """Return a trace's spans in these rows of the intake log by start, each once."""
    traces = (intake for intake in stored if intake.signal == Signal.TRACES)
    found = (span for intake in traces for span in spans_of(payload_of(intake), trace_id))
    return tuple(spans_once(tuple(found)))


def logs_of_run(viewer: Viewer, run_id: int) -> tuple[LogRecord, ...]:
    """Return the log records of a run by time; needs VIEW_PAYLOAD. Raises Run.DoesNotExist where the viewer may not see
    the run."""
    require(viewer, Right.VIEW_PAYLOAD)
    trace_id = bytes(visible_rows(viewer, Run).values_list("trace_id", flat=True).get(pk=run_id))
    rows = TraceLog.objects.filter(trace_id=trace_id).values_list("intake_id", flat=True)
    decoded = (decode(payload_of(intake)) for intake in intakes(rows))
    logs = [log for said in decoded for log in said.logs if log.trace_id == trace_id]
    return tuple(sorted(logs, key=lambda log: log.time_ns))


def _without_payload(span: SpanRecord) -> SpanRecord:
    return span._replace(
        status_message="",
        resource=_names(span.resource),
        attributes=NOTHING,
        events=tuple(replace(event, attributes=NOTHING) for event in span.events),
        links=tuple(replace(link, attributes=NOTHING) for link in span.links),
    )


def _names(resource: Attributes) -> Attributes:
    return {name: resource[name] for name in _NAMES_ONLY if name in resource}
