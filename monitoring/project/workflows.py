"""Finds or makes the catalogue's row of each automation that telemetry speaks of, up to a number.

A sender that puts an id into its names would make an automation of each request. Beyond MOST_WORKFLOWS names those
that are new share one row of their source, so the catalogue, the alerts about it and the caches stay bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from django.db import transaction

from monitoring.desk import Desk
from monitoring.facts import EventFact, Identity, MappingVerdict, RunFact
from monitoring.models import Workflow
from monitoring.rows import arrays
from partners.database.statements import Asked, Row, ask

WorkflowKey = tuple[str, str]
#: What a payload calls an automation, and what the rules say of it.
Named: TypeAlias = tuple[Identity, MappingVerdict]


@dataclass(frozen=True, slots=True)
class KnownWorkflow:
    """What the main line needs of a workflow's row."""

    id: int
    name: str
    source_system: str
    process_id: int | None
    source_key: str


#: Automations of one tenant. A plant has dozens; a large n8n installation has a few hundred.
MOST_WORKFLOWS = 2_000
#: The key and the name of the row that all others of a source share.
OTHERS_KEY, OTHERS_NAME = "…others", f"further automations, beyond {MOST_WORKFLOWS:,}"

_cached: dict[tuple[int, str, str], KnownWorkflow] = {}
_MOST_CACHED = 50_000
_NO_LIMIT = 2**31 - 1

_KNOWN = """
SELECT workflow.source_system, workflow.source_key, workflow.id, workflow.name, workflow.process_id
FROM unnest(%s::text[], %s::text[]) AS said(source_system, source_key)
JOIN monitoring_workflow AS workflow USING (source_system, source_key)
WHERE workflow.tenant_id = current_setting('app.tenant_id')::int
"""
#: Nothing is made where there is not room for all of them.
_MAKE = """
INSERT INTO monitoring_workflow (tenant_id, source_system, source_key, name, process_id, assigned, first_seen_at)
SELECT %s::int, said.source_system, said.source_key, said.name, said.process_id, false, %s
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[]) AS said(source_system, source_key, name, process_id)
WHERE (SELECT count(*) FROM monitoring_workflow WHERE tenant_id = current_setting('app.tenant_id')::int) <= %s
ON CONFLICT (tenant_id, source_system, source_key) DO NOTHING
RETURNING source_system, source_key, id, name, process_id
"""


@dataclass(frozen=True, slots=True)
class WorkflowsAsked:
    """The workflows of one payload that this process knows, and what was asked about the others."""

    cached: Mapping[WorkflowKey, KnownWorkflow]
    unsure: Mapping[WorkflowKey, Named]
    known: Asked | None
    made: Asked | None

    def rows(self) -> dict[WorkflowKey, KnownWorkflow]:
        """Return those of the others that are there, or were made."""
        return _by_key([row for asked in (self.known, self.made) if asked for row in asked.rows()])


@dataclass(frozen=True, slots=True)
class Workflows:
    """The workflows of one payload, by source, and those that a rule tied to a process for the first time."""

    by_key: dict[WorkflowKey, KnownWorkflow]
    claimed: frozenset[int] = frozenset()

    def of(self, identity: Identity) -> KnownWorkflow:
        """Return the row of an identity that the payload named."""
        return self.by_key[key_of(identity)]


def key_of(identity: Identity) -> WorkflowKey:
    """Return the identity as it is stored."""
    return identity.source_system[:40], identity.source_key


def ensure_workflows(
    facts: Iterable[RunFact | EventFact], desk: Desk, asked: WorkflowsAsked | None = None
) -> Workflows:
    """Return the workflow of each fact; unknown ones are made. Two requests that meet make one row.

    `asked`: what was asked of just these facts before.
    """
    return _told(asked or ask_of_workflows(facts, desk.tenant_id, desk.now), desk)


def ask_of_workflows(facts: Iterable[RunFact | EventFact], tenant_id: int, now: datetime) -> WorkflowsAsked:
    """Ask for the rows that are there, and for those that can be made: a name that this process has not met is mostly
    new, and who waits for its alert waits for one answer less."""
    wanted: dict[WorkflowKey, Named] = {}
    for fact in facts:
        key = key_of(fact.identity)
        held = wanted.get(key)
        if held is None or (fact.verdict.matched and not held[1].matched):
            wanted[key] = (fact.identity, fact.verdict)
    found: dict[WorkflowKey, KnownWorkflow] = {}
    unsure: dict[WorkflowKey, Named] = {}
    for key in sorted(wanted):
        cached = _cached.get((tenant_id, *key))
        if cached is None or (cached.process_id is None and wanted[key][1].matched):
            unsure[key] = wanted[key]
        else:
            found[key] = cached
    new = {key: named for key, named in unsure.items() if (tenant_id, *key) not in _cached}
    known = _ask_known(list(unsure)) if unsure else None
    made = _ask_to_insert(_rows(new), MOST_WORKFLOWS - len(new), tenant_id, now) if new else None
    return WorkflowsAsked(found, unsure, known, made)


def _told(asked: WorkflowsAsked, desk: Desk) -> Workflows:
    found = dict(asked.cached)
    claimed: set[int] = set()
    rows = asked.rows()
    rows |= _made({key: named for key, named in asked.unsure.items() if key not in rows}, desk)
    for key, (_, verdict) in asked.unsure.items():
        known, was_claimed = _claimed(rows[key], verdict)
        claimed |= {known.id} if was_claimed else set()
        if known.source_key == key[1]:
            _remember((desk.tenant_id, *key), known)
        found[key] = known
    return Workflows(found, frozenset(claimed))


def forget_all() -> None:
    """Drop what is cached of all tenants: a database that was away may come back older than it was."""
    _cached.clear()


def forget(tenant_id: int) -> None:
    """Drop what is cached of a tenant, after a person changed its workflows in this process."""
    for key in [key for key in _cached if key[0] == tenant_id]:
        _cached.pop(key, None)


def _known(keys: Iterable[WorkflowKey]) -> dict[WorkflowKey, KnownWorkflow]:
    """The rows that are there."""
    asked = sorted(keys)
    return _by_key(_ask_known(asked).rows()) if asked else {}


def _ask_known(keys: Sequence[WorkflowKey]) -> Asked:
    return ask(_KNOWN, arrays(["text", "text"], zip(*keys, strict=True)))


def _by_key(rows: Iterable[Row]) -> dict[WorkflowKey, KnownWorkflow]:
    return {
        (system, key): KnownWorkflow(pk, name, system, process_id, key) for system, key, pk, name, process_id in rows
    }


def _made(missing: Mapping[WorkflowKey, Named], desk: Desk) -> dict[WorkflowKey, KnownWorkflow]:
    """Rows for names that could not be made together, as many as there is room for; the others share a row of their
    source. Another request may have made them meanwhile."""
    names = sorted(missing)
    if not names:
        return {}
    made = _known(names)
    if len(made) == len(names):
        return made
    room = max(0, MOST_WORKFLOWS - Workflow.objects.count())
    unmade = [key for key in names if key not in made]
    fresh, beyond = unmade[:room], unmade[room:]
    others = {key: (key[0], OTHERS_KEY) for key in beyond}
    rows = _rows({key: missing[key] for key in fresh})
    rows += [(*key, OTHERS_NAME, None) for key in sorted(set(others.values()))]
    _ask_to_insert(rows, None, desk.tenant_id, desk.now)
    made |= _known([*fresh, *others.values()])
    return made | {key: made[other] for key, other in others.items()}


def _ask_to_insert(rows: Sequence[Row], at_most: int | None, tenant_id: int, now: datetime) -> Asked:
    """Make these rows where there are at most so many yet (None: however many), and ask for those that were made."""
    columns = arrays(["text", "text", "text", "bigint"], zip(*rows, strict=True))
    limit = _NO_LIMIT if at_most is None else at_most
    return ask(_MAKE, [tenant_id, now, *columns, limit])


def _rows(named: Mapping[WorkflowKey, Named]) -> list[Row]:
    """Columns of names, in the order in which requests that meet make them."""
    return [(*key, *_described(key, *named[key])) for key in sorted(named)]


def _described(key: WorkflowKey, identity: Identity, verdict: MappingVerdict) -> tuple[str, int | None]:
    return (verdict.workflow_name or identity.name or key[1])[:300], verdict.process_id


def _claimed(known: KnownWorkflow, verdict: MappingVerdict) -> tuple[KnownWorkflow, bool]:
    """The workflow, tied to the process of a rule that holds for it where it had none."""
    if known.process_id is not None or not verdict.matched or known.source_key == OTHERS_KEY:
        return known, False
    Workflow.objects.filter(pk=known.id, process=None).update(process_id=verdict.process_id)
    return replace(known, process_id=verdict.process_id), True


def _remember(key: tuple[int, str, str], known: KnownWorkflow) -> None:
    def keep() -> None:
        if len(_cached) >= _MOST_CACHED:
            _cached.clear()
        _cached[key] = known

    # A row made here is known to others only once it is committed.
    transaction.on_commit(keep)
