"""What is projected for a tenant, by value: no surrogate ids, nothing about when or in which request it arrived."""

# ruff: noqa: S608  Queries put together from names of our own.

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from monitoring.clock import TOGETHER, due_handle, due_handle_together
from monitoring.models import Timer
from monitoring.models.delivery import TimerKind
from monitoring.models.rollups import COUNTERS
from monitoring.timers import Due
from partners.scope import tenant_scope

_OF_RUNS = (TimerKind.RUN_SETTLE, TimerKind.RUN_QUIET, TimerKind.RUN_SLA, TimerKind.DEAD_LETTER)
_WORKFLOW = "(SELECT source_system || ' ' || source_key FROM monitoring_workflow w WHERE w.id = row.workflow_id)"
_PROCESS = "(SELECT slug FROM monitoring_process p WHERE p.id = row.process_id)"
_TELLER = (
    "coalesce((SELECT encode(trace_id, 'hex') FROM monitoring_run r WHERE r.id = row.run_id), "
    "(SELECT source || ' ' || event_id FROM monitoring_event e WHERE e.id = row.event_id))"
)
_QUERIES = {
    "runs": f"""
        SELECT encode(trace_id, 'hex'), {_WORKFLOW}, {_PROCESS}, site_id, rank, mapping_rule_id, mapping_reason,
               version, status, started_at, ended_at, root_seen, root_name, error_class, span_count, error_count,
               attempts, retries, dead_letters, confidence, value, stated_due_at, sla_id, sla_due_at, sla_state,
               services::text, plain_tries FROM monitoring_run row JOIN monitoring_runkind kind ON kind.id = kind_id""",
    "keys": f"SELECT key_type, value, {_TELLER} FROM monitoring_businesskey row",
    "attempts": f"""
        SELECT unit_id, phase, attempt, encode(teller, 'hex'), {_TELLER}, {_WORKFLOW}, {_PROCESS}, max_attempts, step,
               destination, error_class, message, started_at, ended_at, next_at, encode(span_id, 'hex'), dialect,
               confidence, value FROM monitoring_attempt row""",
    "dead letters": f"""
        SELECT unit_id, {_WORKFLOW}, {_PROCESS}, site_id, {_TELLER}, destination, step, error_class, message,
               encode(span_id, 'hex'), attempts, deaths, keys::text, value, confidence, died_at, state, settled_at,
               settled_by, settled_reason FROM monitoring_deadletter row""",
    "events": f"""
        SELECT source, event_id, type, entity_event, subject, time, {_WORKFLOW}, {_PROCESS}, site_id, mapping_rule_id,
               mapping_reason, encode(trace_id, 'hex'), correlation_id, causation_id, sequence, process_instance, step,
               plain_tries FROM monitoring_event row""",
    "figures": f"""
        SELECT {_WORKFLOW}, {_PROCESS}, minute, {", ".join(COUNTERS)} FROM monitoring_workflowminute row
        WHERE ({" + ".join(COUNTERS)}) <> 0""",
}  # fmt: skip

Projection = dict[str, list[tuple[Any, ...]]]


def projection(tenant_id: int) -> Projection:
    """Return every projected row of a tenant by value, sorted."""
    found = {}
    with tenant_scope(tenant_id, actor="system:tests"), connection.cursor() as cursor:
        for name, query in _QUERIES.items():
            cursor.execute(query)
            found[name] = sorted(cursor.fetchall(), key=repr)
    return found


def settle_all(tenant_id: int) -> None:
    """Let all time pass that settling waits for, and do whatever it does."""
    for days in range(400, 405):
        kinds = [kind.value for kind in _OF_RUNS]
        timers = list(Timer.objects.filter(tenant_id=tenant_id, kind__in=kinds).order_by("kind", "ref"))
        if not timers:
            return
        later = timezone.now() + timedelta(days=days)
        dues = [Due(tenant_id, TimerKind(timer.kind), timer.ref) for timer in timers]
        due_handle_together([due for due in dues if due.kind in TOGETHER], later)
        for due in dues:
            if due.kind not in TOGETHER:
                due_handle(due, later)
    raise AssertionError(f"still waiting for {timers} after five rounds")
