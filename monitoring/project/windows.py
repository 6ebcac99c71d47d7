"""Reads, within the intake transaction, every figure that the detectors may use."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from django.db import connection, transaction

from monitoring.catalogue import process_facts
from monitoring.desk import Desk
from monitoring.facts import BusinessKey
from monitoring.findings import (
    AttemptWindow,
    DeadLetterFact,
    DeadLetterWindow,
    Heed,
    Kind,
    SlaWindow,
    TrySums,
    UnmappedWindow,
    WorkflowFacts,
)
from monitoring.models import Workflow
from monitoring.project.attempts import PlacedAttempt
from monitoring.project.dead_letters import FreshDeadLetter
from monitoring.project.events import ProjectedEvent
from monitoring.project.looks import Look, is_due
from monitoring.project.runs import ProjectedRun
from monitoring.project.runs_merged import TRY_PHASES
from monitoring.project.workflows import Workflows
from monitoring.rows import arrays
from partners.database.statements import Asked, Row, ask, execute

#: A workflow as it serves one process, or none.
Service: TypeAlias = tuple[int, int | None]

#: Dead letters by service, destination and error class, with what was asked of those that stand open there.
Groups: TypeAlias = tuple[tuple[tuple[Service, str, str], tuple[FreshDeadLetter, ...], Asked], ...]

WINDOW, _MINUTE = timedelta(minutes=5), timedelta(minutes=1)
#: Below this many retries in a window nothing is asked of the past; no detector fires on fewer.
FEWEST_RETRIES = 5
_MOST_LISTED = 20

#: Of several services at once, each in its own window; those without a figure do not come back.
_SUMS_OF_ALL = """
SELECT asked.place, sum(known.first_attempts), sum(known.retries), sum(known.successes), sum(known.retry_successes)
FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[])
     WITH ORDINALITY AS asked(workflow_id, process_id, since, until, place)
CROSS JOIN LATERAL (
    SELECT first_attempts, retries, successes, retry_successes FROM monitoring_workflowminute
    WHERE tenant_id = current_setting('app.tenant_id')::int AND workflow_id = asked.workflow_id
      AND process_id IS NOT DISTINCT FROM asked.process_id AND minute >= asked.since AND minute < asked.until
) AS known
GROUP BY asked.place
"""
_RETRIED = """
SELECT minute FROM monitoring_workflowminute
WHERE tenant_id = current_setting('app.tenant_id')::int AND workflow_id = %s
  AND process_id IS NOT DISTINCT FROM %s::bigint AND minute >= %s AND minute < %s AND retries > 0 ORDER BY minute
"""
_IN_GROUP = """
tenant_id = current_setting('app.tenant_id')::int AND workflow_id = %s
  AND process_id IS NOT DISTINCT FROM %s::bigint AND destination = %s AND error_class = %s AND state = 'open'
"""
#: Of so many dead letters in one group each is named to tell how many orders they are. In a larger one they are counted
#: as messages: the keys of all would be read again with every further dead letter.
_MOST_NAMED = 500
_OPEN_GROUP = f"""
SELECT whole.many, whole.worth, named.keys
FROM (SELECT count(*) AS many, sum(value) AS worth FROM monitoring_deadletter WHERE {_IN_GROUP}) AS whole
LEFT JOIN LATERAL (
    SELECT jsonb_agg(keys ORDER BY died_at DESC)::text AS keys FROM monitoring_deadletter
    WHERE whole.many <= {_MOST_NAMED} AND {_IN_GROUP}) AS named ON true
"""  # noqa: S608  Constants of ours.
_KEYS_OF_RUNS = """
SELECT DISTINCT key_type, value FROM monitoring_businesskey
WHERE tenant_id = current_setting('app.tenant_id')::int AND run_id = ANY(%s) LIMIT 500
"""
_IN_WINDOW = """
tenant_id = current_setting('app.tenant_id')::int AND workflow_id = %s AND process_id IS NOT DISTINCT FROM %s::bigint
  AND ended_at >= %s AND ended_at < %s
"""
#: Of a window that is seen whole all units are counted and the worst told of in full; of another its newest attempts
#: are read. What several tell of one try is told once.
_MOST_UNITS = {Heed.WHOLE: 500, Heed.NEWEST: 100}
_NEWEST = 500
_UNITS = f"""
WITH seen AS MATERIALIZED (SELECT unit, attempt FROM monitoring_attempt WHERE {_IN_WINDOW} {{newest}}),
tried AS MATERIALIZED (SELECT unit, max(attempt) AS most FROM seen GROUP BY unit),
worst AS MATERIALIZED (SELECT unit FROM tried ORDER BY most DESC, unit LIMIT {{units}})
SELECT (SELECT count(*) FROM seen),
       (SELECT jsonb_object_agg(most, many)::text FROM (SELECT most, count(*) AS many FROM tried GROUP BY most) AS how),
       array_agg(run_id ORDER BY attempt DESC, unit) FILTER (WHERE run_id IS NOT NULL),
       array_agg(error_class) FILTER (WHERE error_class <> '' AND phase <> 'ok')
FROM (
    SELECT DISTINCT ON (unit, phase, attempt) unit, phase, attempt, run_id, error_class
    FROM worst CROSS JOIN LATERAL (
        SELECT phase, attempt, run_id, error_class, ended_at, teller FROM monitoring_attempt
        WHERE {_IN_WINDOW} AND unit = worst.unit OFFSET 0) AS told
    ORDER BY unit, phase, attempt, ended_at, teller) AS told_once
"""  # noqa: S608  Constants of ours.
_UNITS_SEEN = {
    Heed.WHOLE: _UNITS.format(newest="", units=_MOST_UNITS[Heed.WHOLE]),
    Heed.NEWEST: _UNITS.format(newest=f"ORDER BY ended_at DESC LIMIT {_NEWEST}", units=_MOST_UNITS[Heed.NEWEST]),
}


_SPOKEN_OF = f"""
SELECT workflow_id FROM monitoring_alert WHERE tenant_id = current_setting('app.tenant_id')::int
  AND workflow_id = ANY(%s::bigint[]) AND kind = '{Kind.UNMAPPED.value}'
"""  # noqa: S608  A constant of ours.


#: (tenant, workflow) of which an alert says that they serve no process. Alerts are never deleted, so this stays true.
_spoken_of: set[tuple[int, int]] = set()


class Unmapped(NamedTuple):
    """Automations that serve no process: why, how many runs and events of each came, and what was asked of them."""

    reasons: dict[int, str]
    of_runs: Counter[int]
    of_events: Counter[int]
    asked: Asked | None


class WindowReader:
    """Names workflows and processes for the windows of one payload."""

    def __init__(self, workflows: Workflows, desk: Desk) -> None:
        self.desk = desk
        self._facts = {
            known.id: WorkflowFacts(known.id, known.name, known.source_system) for known in workflows.by_key.values()
        }

    def _workflow(self, pk: int) -> WorkflowFacts:
        """A run may belong to a workflow that an earlier request named more surely than this one."""
        if pk not in self._facts:
            row = Workflow.objects.get(pk=pk)
            self._facts[pk] = WorkflowFacts(row.pk, row.name, row.source_system)
        return self._facts[pk]

    def ask_of_groups(self, fresh: Iterable[FreshDeadLetter]) -> Groups:
        """Ask what stands open beside these dead letters: of each workflow as it serves a process, destination and
        error class."""
        groups: dict[tuple[Service, str, str], list[FreshDeadLetter]] = defaultdict(list)
        for dead in fresh:
            fact = dead.placed.fact
            groups[_service(dead.placed), fact.destination, fact.error_class[:200]].append(dead)
        return tuple(
            (key, tuple(members), ask(_OPEN_GROUP, [*key[0], *key[1:]] * 2))
            for key, members in sorted(groups.items(), key=str)
        )

    def dead_letters(self, groups: Groups) -> tuple[DeadLetterWindow, ...]:
        """One window for each group that was asked of."""
        return tuple(self._dead_window(*key, members, asked.rows()) for key, members, asked in groups)

    def _dead_window(
        self,
        service: Service,
        destination: str,
        error_class: str,
        members: Sequence[FreshDeadLetter],
        found: Sequence[Row],
    ) -> DeadLetterWindow:
        many, worth, named = found[0]
        lists = json.loads(named or "[]")
        open_keys = dict.fromkeys(BusinessKey(key["type"], key["value"]) for keys in lists for key in keys)
        return DeadLetterWindow(
            workflow=self._workflow(service[0]),
            process=process_facts(self.desk.catalogue, service[1]),
            destination=destination,
            error_class=error_class,
            fresh=tuple(_dead_fact(member) for member in members),
            open_before=max(0, many - len(members)),
            now=self.desk.now,
            open_keys=tuple(open_keys) if many <= _MOST_NAMED else None,
            open_value=float(worth) if worth is not None else None,
        )

    def attempts(self, attempts: Iterable[PlacedAttempt]) -> tuple[AttemptWindow, ...]:
        """One window for each workflow, as it serves a process, in which this payload retried something."""
        # A payload of history may hold many minutes; only the newest of each window's length is asked about.
        chosen: dict[tuple[Service, int], PlacedAttempt] = {}
        for placed in attempts:
            if placed.fact.phase in TRY_PHASES and placed.fact.attempt > 1:
                slot = (_service(placed), int(placed.at.timestamp() // WINDOW.total_seconds()))
                if slot not in chosen or chosen[slot].at < placed.at:
                    chosen[slot] = placed
        newest = [placed for _, placed in sorted(chosen.items(), key=str)]
        spans = [_window(placed) for placed in newest]
        asked = [(*_service(placed), *span) for placed, span in zip(newest, spans, strict=True)]
        before = [(*_service(placed), start - WINDOW, start) for placed, (start, _) in zip(newest, spans, strict=True)]
        sums = _sums_of_all([*asked, *before])
        return tuple(
            self._attempt_window(_service(placed), _window(placed)[1], now, heed, placed.keys)
            for placed, now, earlier in zip(newest, sums[: len(newest)], sums[len(newest) :], strict=True)
            if now.retries >= FEWEST_RETRIES
            and (heed := self.desk.heeds(now, earlier.ratio))
            and is_due((self.desk.tenant_id, *_service(placed)), Look(now, _window(placed)[1], self.desk.now))
        )

    def attempts_again(
        self, service: Service, end: datetime, told: tuple[int | None, int | None]
    ) -> tuple[AttemptWindow, ...]:
        """The window of a service that ended at `end`, unless first attempts and retries are `told` already, and those
        that end after it and still touch it, as far as something was retried in their last minute."""
        later = execute(_RETRIED, [*service, end, end + WINDOW])
        ends = [end, *(minute + _MINUTE for (minute,) in later)]
        starts = [each - WINDOW * past for past in (1, 2) for each in ends]
        sums = _sums_of_all([(*service, start, start + WINDOW) for start in starts])
        return tuple(
            self._attempt_window(service, each, now, heed, ())
            for each, now, earlier in zip(ends, sums[: len(ends)], sums[len(ends) :], strict=True)
            if (each > end or (now.first_attempts, now.retries) != told)
            and now.retries >= FEWEST_RETRIES
            and (heed := self.desk.heeds(now, earlier.ratio))
        )

    def _attempt_window(
        self, service: Service, end: datetime, sums: TrySums, heed: Heed, keys: tuple[BusinessKey, ...]
    ) -> AttemptWindow:
        start = end - WINDOW
        is_whole, units, runs, errors = _units(service, start, end, heed)
        count = sum(units.values()) if is_whole else sums.first_attempts
        earlier, long_before, usual = _sums_of_all([
            *((*service, start - WINDOW * past, end - WINDOW * past) for past in (1, 2)),
            (*service, start - timedelta(days=1), start - WINDOW),
        ])  # fmt: skip
        return AttemptWindow(
            workflow=self._workflow(service[0]),
            process=process_facts(self.desk.catalogue, service[1]),
            started_at=start,
            ended_at=end,
            first_attempts=sums.first_attempts,
            retries=sums.retries,
            successes=sums.successes,
            retry_successes=sums.retry_successes,
            units=count,
            errors=dict(errors.most_common(10)),
            units_by_attempts=units,
            earlier=(earlier.ratio, long_before.ratio),
            baseline_ratio=usual.ratio if usual.first_attempts >= FEWEST_RETRIES else None,
            run_ids=tuple(runs[:_MOST_LISTED]),
            keys=_keys_of_runs(runs) or keys,
            now=self.desk.now,
            complete=is_whole and count <= _MOST_UNITS[heed],
        )

    def promises(self, runs: Iterable[ProjectedRun]) -> tuple[SlaWindow, ...]:
        """One window for each run that this request shows to have ended past its promise."""
        return tuple(
            SlaWindow(
                workflow=self._workflow(run.row.workflow_id),
                process=process_facts(self.desk.catalogue, run.row.process_id),
                run_id=run.id,
                sla_kind=sla_kind(self.desk, run.row.process_id, run.row.sla_id),
                started_at=run.row.started_at,
                ended_at=run.row.ended_at,
                due_at=run.row.sla_due_at,
                keys=run.fact.keys,
                now=self.desk.now,
            )
            for run in runs
            if run.row.sla_state == "breached"
            and run.row.sla_due_at is not None
            and not (run.before and run.before.sla_state == "breached")
        )

    def ask_of_unmapped(self, runs: Sequence[ProjectedRun], events: Sequence[ProjectedEvent]) -> Unmapped:
        """Ask which of the automations that serve no process an alert has spoken of.

        Runs count once they are complete: the first spans of a trace often arrive before those that name its workflow.
        """
        done = [run for run in runs if run.row.root_seen and run.row.process_id is None]
        loose = [event for event in events if not event.fact.verdict.matched]
        reasons = {event.workflow_id: event.fact.verdict.reason for event in loose}
        reasons |= {run.row.workflow_id: run.row.mapping_reason for run in done}
        unknown = {pk: reason for pk, reason in reasons.items() if (self.desk.tenant_id, pk) not in _spoken_of}
        return Unmapped(
            reasons=unknown,
            of_runs=Counter(run.row.workflow_id for run in done),
            of_events=Counter(event.workflow_id for event in loose),
            asked=ask(_SPOKEN_OF, arrays(["bigint"], [unknown])) if unknown else None,
        )

    def unmapped(self, found: Unmapped) -> tuple[UnmappedWindow, ...]:
        """One window for each automation that was asked of and about which no alert was ever raised."""
        if found.asked is None:
            return ()
        known = {pk for (pk,) in found.asked.rows()}
        transaction.on_commit(lambda: _spoken_of.update((self.desk.tenant_id, pk) for pk in known))
        now = self.desk.now
        return tuple(
            UnmappedWindow(self._workflow(pk), now, found.of_runs[pk], found.of_events[pk], found.reasons[pk], now)
            for pk in sorted(found.reasons.keys() - known)
        )


def sla_kind(desk: Desk, process_id: int | None, sla_id: int | None) -> str:
    """Return the kind of a process's SLA, `duration` where it is gone."""
    rules = desk.catalogue.slas.get(process_id or 0, ())
    return next((rule.kind for rule in rules if rule.id == sla_id), "duration")


def _service(placed: PlacedAttempt) -> Service:
    return placed.workflow_id, placed.process_id


def _window(placed: PlacedAttempt) -> tuple[datetime, datetime]:
    end = placed.at.replace(second=0, microsecond=0) + _MINUTE
    return end - WINDOW, end


def _sums_of_all(asked: Sequence[tuple[int, int | None, datetime, datetime]]) -> list[TrySums]:
    """The sums of each (workflow, process, since, until), in one question."""
    found = [TrySums()] * len(asked)
    if asked:
        kinds = ("bigint", "bigint", "timestamptz", "timestamptz")
        for place, *sums in execute(_SUMS_OF_ALL, arrays(kinds, zip(*asked, strict=True))):
            found[place - 1] = TrySums(*map(int, sums))
    return found


def _units(
    service: Service, start: datetime, end: datetime, heed: Heed
) -> tuple[bool, dict[int, int], list[int], Counter[str]]:
    """Whether all was read, how many units were tried so often at most, the runs of the worst, what these failed
    with."""
    [[seen, shares, run_ids, classes]] = execute(_UNITS_SEEN[heed], [*service, start, end] * 2)
    units = {int(most): many for most, many in json.loads(shares or "{}").items()}
    is_whole = heed is Heed.WHOLE or seen < _NEWEST
    return is_whole, units, list(dict.fromkeys(run_ids or ())), Counter(classes or ())


def _keys_of_runs(run_ids: Sequence[int]) -> tuple[BusinessKey, ...]:
    with connection.cursor() as cursor:
        cursor.execute(_KEYS_OF_RUNS, [list(run_ids)])
        return tuple(sorted(BusinessKey(kind, value) for kind, value in cursor.fetchall()))


def _dead_fact(dead: FreshDeadLetter) -> DeadLetterFact:
    fact = dead.placed.fact
    return DeadLetterFact(
        id=dead.id,
        unit_id=fact.unit_id,
        destination=fact.destination,
        error_class=fact.error_class,
        message=fact.message,
        attempts=dead.attempts,
        died_at=dead.placed.at,
        run_id=dead.placed.run_id,
        span_id=fact.span_id.hex() if fact.span_id else "",
        event_id=dead.placed.event_id,
        keys=dead.placed.keys,
        redriven_before=dead.redriven_before,
    )
