"""Writes runs: what a request says about its traces is merged into what is known of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from django.db import connection

from monitoring.desk import Desk
from monitoring.facts import RunFact
from monitoring.project.promise import with_promise
from monitoring.project.runs_merged import RunRow, fresh_row, merged_row
from monitoring.project.workflows import Workflows

_SEPARATOR = "\x1f"
_TYPES = {
    "trace_id": "bytea", "workflow_id": "bigint", "process_id": "bigint", "site_id": "bigint", "rank": "smallint",
    "mapping_rule_id": "bigint", "mapping_reason": "text", "version": "text", "status": "text",
    "started_at": "timestamptz", "ended_at": "timestamptz", "root_seen": "boolean", "root_name": "text",
    "error_class": "text", "span_count": "int", "error_count": "int", "attempts": "int", "retries": "int",
    "dead_letters": "int", "confidence": "text", "value": "numeric", "stated_due_at": "timestamptz",
    "sla_id": "bigint", "sla_due_at": "timestamptz", "sla_state": "text", "services": "text", "intakes": "text",
    "plain_tries": "text",
}  # fmt: skip
#: Arrays of arrays can't be unnested row by row, so the two array columns travel as joined text.
_SPLIT = {
    "services": "string_to_array(services, E'\\x1f')",
    "intakes": "string_to_array(intakes, E'\\x1f')::bigint[]",
}


@dataclass(frozen=True, slots=True)
class ProjectedRun:
    """A run after this request, and what it was before (None: it is new)."""

    fact: RunFact
    row: RunRow
    before: RunRow | None

    @property
    def id(self) -> int:
        assert self.row.id is not None
        return self.row.id


def write_runs(facts: Sequence[RunFact], workflows: Workflows, desk: Desk) -> tuple[ProjectedRun, ...]:
    """Insert or merge one run for each trace. Requests that meet on a trace are merged one after the other."""
    waiting = {fact.trace_id: fact for fact in facts}
    done: list[ProjectedRun] = []
    while waiting:
        known = locked_rows(sorted(waiting))
        projected = [_project(fact, known.get(trace_id), workflows, desk) for trace_id, fact in sorted(waiting.items())]
        update_rows([run.row for run in projected if run.before])
        made = _insert([run.row for run in projected if not run.before], desk.tenant_id)
        for run in projected:
            identifier = run.row.id or made.get(run.row.trace_id)
            # Another request made the same trace meanwhile: merge into what it committed.
            if identifier is not None:
                done.append(replace(run, row=replace(run.row, id=identifier)))
                del waiting[run.row.trace_id]
    return tuple(done)


def _project(fact: RunFact, known: RunRow | None, workflows: Workflows, desk: Desk) -> ProjectedRun:
    fresh = fresh_row(fact, workflows.of(fact.identity).id, desk.intake_id)
    row = merged_row(known, fresh) if known else fresh
    return ProjectedRun(fact, with_promise(row, desk.catalogue.slas.get(row.process_id or 0, ())), known)


_NAMES = [field.name for field in fields(RunRow)]


def locked_rows(trace_ids: Iterable[bytes]) -> Mapping[bytes, RunRow]:
    columns = ", ".join(_NAMES)
    statement = (
        f"SELECT {columns} FROM monitoring_run "  # noqa: S608  Column names of our own dataclass.
        "WHERE tenant_id = current_setting('app.tenant_id')::int AND trace_id = ANY(%s) ORDER BY trace_id FOR UPDATE"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(trace_ids)])
        return {row.trace_id: row for row in map(_row, cursor.fetchall())}


def _row(values: Sequence[Any]) -> RunRow:
    named = dict(zip(_NAMES, values, strict=True))
    named["trace_id"] = bytes(named["trace_id"])
    named["services"], named["intakes"] = tuple(named["services"]), tuple(named["intakes"])
    named["value"] = None if named["value"] is None else float(named["value"])
    return RunRow(**named)


def _values(row: RunRow, names: Iterable[str]) -> list[Any]:
    services = (name.replace(_SEPARATOR, " ") for name in row.services)
    plain = {"services": _SEPARATOR.join(services), "intakes": _SEPARATOR.join(map(str, row.intakes))}
    return [plain[name] if name in plain else getattr(row, name) for name in names]


def _insert(rows: Sequence[RunRow], tenant_id: int) -> dict[bytes, int]:
    columns = [("tenant_id", "int"), *((name, _TYPES[name]) for name in _NAMES if name != "id")]
    names = [name for name, _ in columns]
    arrays = ", ".join(f"%s::{kind}[]" for _, kind in columns)
    selected = ", ".join(_SPLIT.get(name, name) for name in names)
    statement = (
        f"INSERT INTO monitoring_run ({', '.join(names)}) "  # noqa: S608  Column names of our own dataclass.
        f"SELECT {selected} FROM unnest({arrays}) AS given({', '.join(names)}) "
        "ON CONFLICT (tenant_id, trace_id) DO NOTHING RETURNING trace_id, id"
    )
    if not rows:
        return {}
    values = [[tenant_id, *_values(row, names[1:])] for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(column) for column in zip(*values, strict=True)])
        return {bytes(trace_id): identifier for trace_id, identifier in cursor.fetchall()}


def update_rows(rows: Sequence[RunRow]) -> None:
    if not rows:
        return
    names = [name for name in _NAMES if name != "id"]
    arrays = ", ".join(f"%s::{_TYPES[name]}[]" for name in names)
    assigned = ", ".join(f"{name} = {_SPLIT.get(name, name).replace(f'({name}', f'(given.{name}')}" if name in _SPLIT
                         else f"{name} = given.{name}" for name in names)  # fmt: skip
    statement = (
        f"UPDATE monitoring_run AS run SET {assigned} "  # noqa: S608  Column names of our own dataclass.
        f"FROM unnest(%s::bigint[], {arrays}) AS given(id, {', '.join(names)}) "
        "WHERE run.tenant_id = current_setting('app.tenant_id')::int AND run.id = given.id"
    )
    columns = [list(column) for column in zip(*(_values(row, names) for row in rows), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(statement, [[row.id for row in rows], *columns])
