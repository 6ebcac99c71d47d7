"""Writes runs: what a request says about its traces is merged into what is known of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from monitoring.desk import Desk
from monitoring.facts import RunFact
from monitoring.models.packed import packed, unpacked
from monitoring.native.turn import give_way
from monitoring.project.promise import with_promise
from monitoring.project.run_kinds import KindRow, ensure_kinds, kind_of, kinds_by_id
from monitoring.project.runs_merged import RunRow, fresh_row, merged_row
from monitoring.project.workflows import Workflows
from monitoring.rows import arrays
from partners.database.statements import Asked, ask, tell

_TYPES = {
    "trace_id": "bytea", "workflow_id": "bigint", "process_id": "bigint", "site_id": "bigint", "rank": "smallint",
    "status": "text", "started_at": "timestamptz", "ended_at": "timestamptz", "root_seen": "boolean",
    "root_name": "text", "error_class": "text", "span_count": "int", "error_count": "int", "attempts": "int",
    "retries": "int", "dead_letters": "int", "value": "numeric", "stated_due_at": "timestamptz",
    "sla_due_at": "timestamptz", "sla_state": "text", "intakes": "bytea", "plain_tries": "text", "kind_id": "bigint",
}  # fmt: skip


class ProjectedRun(NamedTuple):
    """A run after this request, and what it was before (None: it is new)."""

    fact: RunFact
    row: RunRow
    before: RunRow | None

    @property
    def id(self) -> int:
        assert self.row.id is not None
        return self.row.id


class RunsAsked(NamedTuple):
    """Runs that are being written: as they would be if nothing were known of them, the numbers of their kinds, what was
    asked of those that are made, and of those that were there before."""

    waiting: Mapping[bytes, ProjectedRun]
    kinds: Mapping[KindRow, int]
    made: Sequence[Asked]
    others: Asked | None


def ask_to_write_runs(facts: Sequence[RunFact], workflows: Workflows, desk: Desk) -> RunsAsked:
    """Ask, for `write_runs`, that one run be inserted for each trace, and for those that are there before.

    Most traces are new, so inserting comes first; what is there already is then locked, always in the order of trace
    ids, so that two requests wait for each other but never both ways.
    """
    waiting = {fact.trace_id: _fresh(fact, workflows, desk) for fact in sorted(facts, key=attrgetter("trace_id"))}
    kinds = ensure_kinds([kind_of(run.row) for run in waiting.values()], desk.tenant_id)
    return RunsAsked(waiting, kinds, _ask_to_insert(waiting, kinds, desk), _ask_of_rows(_OTHERS, waiting))


def write_runs(asked: RunsAsked, desk: Desk) -> tuple[ProjectedRun, ...]:
    """Merge what is told of runs that were there before; return all. Requests that meet on a trace are merged one after
    the other."""
    waiting, kinds, asked_made, others = asked
    waiting = dict(waiting)
    done: list[ProjectedRun] = []
    while waiting:
        made = {bytes(trace_id): identifier for one in asked_made for trace_id, identifier in one.rows()}
        done += [_identified(waiting.pop(trace_id), identifier) for trace_id, identifier in made.items()]
        known = _rows(others) if waiting else {}
        merged = [_merged(waiting.pop(trace_id), row, desk) for trace_id, row in known.items() if trace_id in waiting]
        update_rows([run.row for run in merged], desk.tenant_id)
        done += merged
        if waiting:
            # One that stood in the way is gone by now, or this very transaction has made it before.
            asked_made, others = _ask_to_insert(waiting, kinds, desk), _ask_of_rows(_SELECT, waiting)
    return tuple(done)


def _fresh(fact: RunFact, workflows: Workflows, desk: Desk) -> ProjectedRun:
    give_way()
    told = tuple([desk.intakes[part] for part in fact.parts]) if desk.intakes else ()
    row = fresh_row(fact, workflows.of(fact.identity).id, told)
    return ProjectedRun(fact, _promised(row, desk), None)


def _identified(run: ProjectedRun, identifier: int) -> ProjectedRun:
    give_way()
    # Cheaper than replacing by name, and done for every run.
    return ProjectedRun(run.fact, RunRow._make((*run.row[:-1], identifier)), None)


def _merged(run: ProjectedRun, known: RunRow, desk: Desk) -> ProjectedRun:
    return ProjectedRun(run.fact, _promised(merged_row(known, run.row), desk), known)


def _promised(row: RunRow, desk: Desk) -> RunRow:
    return with_promise(row, desk.catalogue.slas.get(row.process_id or 0, ()))


_NAMES = RunRow._fields
_STORED = tuple(name for name in _NAMES[:-1] if name not in KindRow._fields)
_WRITTEN = (*_STORED, "kind_id")
_COLUMNS = ", ".join((*_WRITTEN, "id"))
_GIVEN = ", ".join(f"%s::{_TYPES[name]}[]" for name in _WRITTEN)
# Column names of our own class throughout.
_LOCKED = (
    f"SELECT {_COLUMNS} FROM monitoring_run "  # noqa: S608
    "WHERE tenant_id = current_setting('app.tenant_id')::int AND trace_id = ANY(%s::bytea[]) {further}"
    "ORDER BY trace_id FOR UPDATE"
)
_SELECT = _LOCKED.format(further="")
#: Those that this transaction has not made itself; what was made after a savepoint counts as another's here.
_OTHERS = _LOCKED.format(further="AND xmin <> pg_current_xact_id()::xid ")
#: What tells new runs of one time apart. The rest of them is alike from run to run: it is sent once for each sort of
#: run and taken from there by its number, since a column of an unnested array costs six times as much.
_OWN = ("trace_id", "started_at", "ended_at", "sla_due_at", "span_count")
_ALIKE = tuple(name for name in _WRITTEN if name not in _OWN)
_OWN_TYPES, _ALIKE_TYPES = ["int", *(_TYPES[name] for name in _OWN)], [_TYPES[name] for name in _ALIKE]
#: PostgreSQL walks an array of texts from its start to find one of them, so where no two runs are alike the cost grows
#: with the square of how many are sent at once.
_MOST_AT_ONCE = 500
_own, _alike, _stored = (itemgetter(*map(_NAMES.index, names)) for names in (_OWN, _ALIKE[:-1], _STORED))
_OF_SORT = ", ".join(f"(%s::{_TYPES[name]}[])[given.sort]" for name in _ALIKE)
_INSERT = (
    f"INSERT INTO monitoring_run (tenant_id, {', '.join((*_OWN, *_ALIKE))}) "  # noqa: S608
    f"SELECT %s::int, {', '.join(_OWN)}, {_OF_SORT} "
    f"FROM unnest({', '.join(f'%s::{kind}[]' for kind in _OWN_TYPES)}) AS given(sort, {', '.join(_OWN)}) "
    "ON CONFLICT (tenant_id, trace_id) DO NOTHING RETURNING trace_id, id"
)
_UPDATE = (
    "UPDATE monitoring_run AS run SET "  # noqa: S608
    + ", ".join(f"{name} = given.{name}" for name in _WRITTEN)
    + f" FROM unnest(%s::bigint[], {_GIVEN}) AS given(id, {', '.join(_WRITTEN)}) "
    "WHERE run.tenant_id = current_setting('app.tenant_id')::int AND run.id = given.id AND run.id = ANY(%s::bigint[])"
)


def locked_rows(trace_ids: Iterable[bytes]) -> Mapping[bytes, RunRow]:
    """Lock the runs of these traces, which come in ascending order, and return them by trace id."""
    return _rows(_ask_of_rows(_SELECT, trace_ids))


def _ask_of_rows(statement: str, trace_ids: Iterable[bytes]) -> Asked | None:
    wanted = arrays(["bytea"], [trace_ids])
    return ask(statement, wanted) if wanted != ["{}"] else None


def _rows(asked: Asked | None) -> Mapping[bytes, RunRow]:
    found = [dict(zip((*_WRITTEN, "id"), values, strict=True)) for values in asked.rows()] if asked else []
    # Not joined above: who waited for a lock there would look for the kind that the run had before.
    kinds = kinds_by_id([named["kind_id"] for named in found]) if found else {}
    return {row.trace_id: row for row in (_row(named, kinds[named.pop("kind_id")]) for named in found)}


def _row(named: dict[str, Any], kind: KindRow) -> RunRow:
    named["trace_id"] = bytes(named["trace_id"])
    named["intakes"] = unpacked(bytes(named["intakes"]))
    named["value"] = None if named["value"] is None else float(named["value"])
    return RunRow(**named, **kind._asdict())


def _ask_to_insert(waiting: Mapping[bytes, ProjectedRun], kinds: Mapping[KindRow, int], desk: Desk) -> Sequence[Asked]:
    rows = [run.row for run in waiting.values()]
    starts = range(0, len(rows), _MOST_AT_ONCE)
    return [_ask_to_insert_some(rows[start : start + _MOST_AT_ONCE], kinds, desk.tenant_id) for start in starts]


def _ask_to_insert_some(rows: Sequence[RunRow], kinds: Mapping[KindRow, int], tenant_id: int) -> Asked:
    sorts: dict[tuple[object, ...], int] = {}
    own = [(sorts.setdefault((kinds[kind_of(row)], *_alike(row)), len(sorts) + 1), *_own(row)) for row in rows]
    alike = arrays(_ALIKE_TYPES, _columns(_ALIKE, [(*rest, kind_id) for kind_id, *rest in sorts]))
    return ask(_INSERT, [tenant_id, *alike, *arrays(_OWN_TYPES, zip(*own, strict=True))])


def update_rows(rows: Sequence[RunRow], tenant_id: int) -> None:
    """Write rows that are there already."""
    if rows:
        kinds = ensure_kinds(map(kind_of, rows), tenant_id)
        values = [(*_stored(row), kinds[kind_of(row)]) for row in rows]
        # The ids a second time keep this a look by key, whatever the planner knows of the table's size.
        ids = arrays(["bigint"], [[row.id for row in rows]])
        tell(_UPDATE, [*ids, *arrays([_TYPES[name] for name in _WRITTEN], _columns(_WRITTEN, values)), *ids])


def _columns(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[Iterable[Any]]:
    """The columns of these rows, as PostgreSQL holds them."""
    for name, column in zip(names, zip(*rows, strict=True), strict=True):
        yield map(packed, column) if name == "intakes" else column
