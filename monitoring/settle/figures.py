"""Takes the figures by minute anew from the rows they are sums of, and puts right what differs."""

from __future__ import annotations

from django.db import connection

from monitoring.models.rollups import COUNTERS
from monitoring.project.rollups import Figures
from monitoring.project.runs_merged import TRY_PHASES

#: So many minutes are put right at once.
_MOST = 20_000
_ZERO = dict.fromkeys(COUNTERS, "0")


def _counts(**said: str) -> str:
    return ", ".join(f"{expression}::bigint AS {name}" for name, expression in {**_ZERO, **said}.items())


_TENANT = "tenant_id = current_setting('app.tenant_id')::int"
_PLAIN = """
SELECT workflow_id, process_id, to_timestamp(split_part(part, ':', 1)::bigint * 60), {counts}
FROM {table}, unnest(string_to_array(plain_tries, ' ')) AS part WHERE {tenant} AND plain_tries <> ''
"""
_NAMES = ", ".join(COUNTERS)
#: One statement sees one moment: rows and figures of every transaction that had ended by then, of no other. So intake
#: may go on; what it adds meanwhile is in both or in neither, and the difference stays true when it is added later.
_DIFFERENCES = f"""
WITH counted(workflow_id, process_id, minute, {_NAMES}) AS (
    SELECT workflow_id, process_id, date_trunc('minute', ended_at), {
    _counts(
        runs="1",
        failed="(status IN ('error', 'dead'))::int",
        sla_met="(sla_state = 'met')::int",
        sla_breached="(sla_state IN ('breached', 'failed'))::int",
        first_attempts="(attempts = 0)::int",
        successes="(attempts = 0 AND status = 'ok')::int",
        duration_ms="trunc(extract(epoch FROM ended_at - started_at) * 1000)",
    )
}
    FROM monitoring_run WHERE {_TENANT} AND root_seen
    UNION ALL SELECT workflow_id, process_id, date_trunc('minute', time), {_counts(events="1")}
    FROM monitoring_event WHERE {_TENANT}
    UNION ALL {
    _PLAIN.format(
        table="monitoring_run",
        tenant=_TENANT,
        counts=_counts(first_attempts="split_part(part, ':', 2)", successes="split_part(part, ':', 2)"),
    )
}
    UNION ALL {
    _PLAIN.format(
        table="monitoring_event",
        tenant=_TENANT,
        counts=_counts(first_attempts="split_part(part, ':', 2)", successes="split_part(part, ':', 2)"),
    )
}
    UNION ALL SELECT workflow_id, process_id, date_trunc('minute', ended_at), {
    _counts(
        first_attempts="(attempt <= 1)::int",
        retries="(attempt > 1)::int",
        successes="well::int",
        retry_successes="(well AND attempt > 1)::int",
    )
}
    FROM (
        SELECT *, row_number() OVER (PARTITION BY unit_id, attempt
                                     ORDER BY ended_at, teller, coalesce(span_id, ''::bytea)) AS place,
               bool_or(phase = 'ok') OVER (PARTITION BY unit_id, attempt) AS well
        FROM monitoring_attempt WHERE {_TENANT} AND phase = ANY(%s)) AS tried WHERE place = 1
    UNION ALL SELECT (death ->> 0)::bigint, (death ->> 1)::bigint, to_timestamp((death ->> 2)::bigint * 60), {
    _counts(dead_letters="1")
}
    FROM monitoring_deadletter, jsonb_array_elements(counted) AS death WHERE {_TENANT}
    UNION ALL SELECT workflow_id, process_id, minute, {", ".join(f"-{name}" for name in COUNTERS)}
    FROM monitoring_workflowminute WHERE {_TENANT})
SELECT workflow_id, process_id, minute, {", ".join(f"sum({name})::bigint" for name in COUNTERS)} FROM counted
GROUP BY workflow_id, process_id, minute HAVING {" OR ".join(f"sum({name}) <> 0" for name in COUNTERS)} LIMIT %s
"""  # noqa: S608  Names of our own columns.


def figures_correct(tenant_id: int) -> int:
    """Put right up to 20,000 minutes that differ from their rows, in the open scope; return how many did."""
    figures = Figures()
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES, [[phase.value for phase in TRY_PHASES], _MOST])
        for workflow_id, process_id, minute, *counts in cursor.fetchall():
            figures.by_place[workflow_id, process_id, minute] = dict(zip(COUNTERS, counts, strict=True))
    return figures.write(tenant_id)
