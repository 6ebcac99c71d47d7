"""Finds or makes the catalogue's row of each automation that telemetry speaks of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from monitoring.desk import Desk
from monitoring.facts import EventFact, Identity, MappingVerdict, RunFact
from monitoring.models import Workflow

WorkflowKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class KnownWorkflow:
    """What the main line needs of a workflow's row."""

    id: int
    name: str
    source_system: str
    process_id: int | None


_cached: dict[tuple[int, str, str], KnownWorkflow] = {}
_MOST_CACHED = 50_000


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
    return identity.source_system[:40], identity.source_key[:300]


def ensure_workflows(facts: Iterable[RunFact | EventFact], desk: Desk) -> Workflows:
    """Return the workflow of each fact; unknown ones are made. Two requests that meet make one row."""
    wanted: dict[WorkflowKey, tuple[Identity, MappingVerdict]] = {}
    for fact in facts:
        key = key_of(fact.identity)
        held = wanted.get(key)
        if held is None or (fact.verdict.matched and not held[1].matched):
            wanted[key] = (fact.identity, fact.verdict)
    found: dict[WorkflowKey, KnownWorkflow] = {}
    claimed: set[int] = set()
    for key in sorted(wanted):
        identity, verdict = wanted[key]
        known = _cached.get((desk.tenant_id, *key))
        if known is None or (known.process_id is None and verdict.matched):
            known, was_claimed = _ensure(key, identity, verdict, desk)
            claimed |= {known.id} if was_claimed else set()
            _remember((desk.tenant_id, *key), known)
        found[key] = known
    return Workflows(found, frozenset(claimed))


def forget(tenant_id: int) -> None:
    """Drop what is cached of a tenant, after a person changed its workflows in this process."""
    for key in [key for key in _cached if key[0] == tenant_id]:
        _cached.pop(key, None)


def _ensure(key: WorkflowKey, identity: Identity, verdict: MappingVerdict, desk: Desk) -> tuple[KnownWorkflow, bool]:
    source_system, source_key = key
    row, made = Workflow.objects.get_or_create(
        source_system=source_system,
        source_key=source_key,
        defaults={
            "tenant_id": desk.tenant_id,
            "name": (verdict.workflow_name or identity.name or source_key)[:300],
            "process_id": verdict.process_id,
            "first_seen_at": desk.now,
        },
    )
    was_claimed = not made and row.process_id is None and verdict.matched
    if was_claimed:
        Workflow.objects.filter(pk=row.pk, process=None).update(process_id=verdict.process_id)
        row.process_id = verdict.process_id
    return KnownWorkflow(row.pk, row.name, row.source_system, row.process_id), was_claimed


def _remember(key: tuple[int, str, str], known: KnownWorkflow) -> None:
    def keep() -> None:
        if len(_cached) >= _MOST_CACHED:
            _cached.clear()
        _cached[key] = known

    # A row made here is known to others only once it is committed.
    transaction.on_commit(keep)
