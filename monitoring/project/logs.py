"""Notes where the log records of a trace stand in the intake log."""

from __future__ import annotations

from collections.abc import Iterable

from monitoring.desk import Desk
from monitoring.records import LogRecord
from monitoring.rows import insert_rows

_COLUMNS = [("tenant_id", "int"), ("trace_id", "bytea"), ("intake_id", "bigint")]


def write_trace_logs(logs: Iterable[LogRecord], desk: Desk) -> None:
    """One row for each trace that these records belong to; records without a trace stay in the intake log alone."""
    traces = sorted({log.trace_id for log in logs if log.trace_id})
    rows = [(desk.tenant_id, trace_id, desk.intake_id) for trace_id in traces]
    insert_rows("monitoring_tracelog", _COLUMNS, rows, "ON CONFLICT (tenant_id, trace_id, intake_id) DO NOTHING")
