"""Finds or makes what many runs have in common: one row for a rule, its reason, a version, services, a promise.

A run repeats what others of its automation say in more bytes than it has of its own, so it holds their number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from django.db import transaction

from monitoring.project.runs_merged import RunRow
from monitoring.rows import arrays
from partners.database.statements import execute

_SEPARATOR = "\x1f"


class KindRow(NamedTuple):
    """One row of monitoring_runkind. A row is never changed, nor removed while its tenant is there."""

    mapping_rule_id: int | None
    mapping_reason: str
    version: str
    confidence: str
    sla_id: int | None
    services: tuple[str, ...]


#: The kind of a run, as a plain tuple: made for every run, equal to the named one and cheaper.
kind_of: Callable[[RunRow], KindRow] = itemgetter(*map(RunRow._fields.index, KindRow._fields))

#: Ids by tenant and digest. A plant has dozens of kinds, some hundreds after a year of changed rules.
_cached: dict[tuple[int, bytes], int] = {}
_MOST_CACHED = 20_000

_KNOWN = """
SELECT digest, id FROM monitoring_runkind
WHERE tenant_id = current_setting('app.tenant_id')::int AND digest = ANY(%s::bytea[])
"""
_TYPES = ("bytea", "bigint", "text", "text", "text", "bigint", "text")
# An array of arrays can't be unnested row by row, so the services travel as joined text.
_MAKE = f"""
INSERT INTO monitoring_runkind
    (tenant_id, digest, mapping_rule_id, mapping_reason, version, confidence, sla_id, services)
SELECT %s, digest, mapping_rule_id, mapping_reason, version, confidence, sla_id, string_to_array(services, E'\\x1f')
FROM unnest({", ".join(f"%s::{kind}[]" for kind in _TYPES)})
    AS said(digest, mapping_rule_id, mapping_reason, version, confidence, sla_id, services)
ON CONFLICT (tenant_id, digest) DO NOTHING RETURNING digest, id
"""  # noqa: S608  Types of our own.
_BY_ID = """
SELECT id, mapping_rule_id, mapping_reason, version, confidence, sla_id, services FROM monitoring_runkind
WHERE tenant_id = current_setting('app.tenant_id')::int AND id = ANY(%s::bigint[])
"""


def ensure_kinds(kinds: Iterable[KindRow], tenant_id: int) -> Mapping[KindRow, int]:
    """Return the id of each kind; unknown ones are made, in the order of their digests.

    Two requests that make the same wait for each other, and in that order never both ways. One that asks a second time,
    for runs that it has merged, could: PostgreSQL ends that, and it is taken again. A kind is new only once.
    """
    digests = {kind: digest_of(kind) for kind in set(kinds)}
    ids = {digest: _cached.get((tenant_id, digest)) for digest in digests.values()}
    unsure = sorted(digest for digest, identifier in ids.items() if identifier is None)
    if unsure:
        found = _known(unsure)
        missing = [digest for digest in unsure if digest not in found]
        if missing:
            found |= _made({digest: kind for kind, digest in digests.items()}, missing, tenant_id)
        _remember(found, tenant_id)
        ids |= found
    return {kind: identifier for kind, digest in digests.items() if (identifier := ids[digest]) is not None}


def kinds_by_id(identifiers: Iterable[int]) -> Mapping[int, KindRow]:
    """Return the kinds with these ids. Asked once their runs are locked, it sees what was committed meanwhile too."""
    wanted = arrays(["bigint"], [sorted(set(identifiers))])
    return {row[0]: KindRow._make((*row[1:-1], tuple(row[-1]))) for row in execute(_BY_ID, wanted)}


def digest_of(kind: KindRow) -> bytes:
    """Return what a kind is known by: 16 bytes over its values. The lengths keep texts from running into one another.

    Migration 0009 says the same in SQL.
    """
    rule_id, reason, version, confidence, sla_id, services = kind
    said = (rule_id or "", len(reason), len(version), confidence, sla_id or "", reason, version, _joined(services))
    return hashlib.sha256(_SEPARATOR.join(map(str, said)).encode()).digest()[:16]


def forget_all() -> None:
    """Drop what is cached of all tenants: a database that was away may come back older than it was."""
    _cached.clear()


def _joined(services: Iterable[str]) -> str:
    return _SEPARATOR.join([name.replace(_SEPARATOR, " ") for name in services])


def _known(digests: Sequence[bytes]) -> dict[bytes, int]:
    return {bytes(digest): identifier for digest, identifier in execute(_KNOWN, arrays(["bytea"], [digests]))}


def _made(kinds: Mapping[bytes, KindRow], digests: Sequence[bytes], tenant_id: int) -> dict[bytes, int]:
    rows = [(digest, *kinds[digest][:-1], _joined(kinds[digest][-1])) for digest in digests]
    made = execute(_MAKE, [tenant_id, *arrays(_TYPES, zip(*rows, strict=True))])
    found = {bytes(digest): identifier for digest, identifier in made}
    # The others were made by a request that has been waited for.
    others = [digest for digest in digests if digest not in found]
    return found | _known(others) if others else found


def _remember(found: Mapping[bytes, int], tenant_id: int) -> None:
    def keep() -> None:
        if len(_cached) + len(found) > _MOST_CACHED:
            _cached.clear()
        if len(found) <= _MOST_CACHED:
            _cached.update({(tenant_id, digest): identifier for digest, identifier in found.items()})

    # A row made here is known to others only once it is committed.
    transaction.on_commit(keep)
