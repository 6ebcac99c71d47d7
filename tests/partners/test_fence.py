"""The fence between tenants as the database's own catalogue states it, and that a hole in it is seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections, transaction

from partners.checks import fence_faults, tenant_tables

#: Tables that name a tenant and stand outside the fence, because they are read before a tenant is known.
_BEFORE_A_TENANT = {"monitoring_timer", "partners_brand", "partners_keydigest", "partners_membership"}
#: What the app may not do with a table although it may with others.
_APPEND_ONLY = {"governance_auditentry", "monitoring_alertevent", "monitoring_intake"}
_ALL = {"SELECT", "INSERT", "UPDATE", "DELETE"}

_COLUMNS = """
SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity, a.attnotnull,
       coalesce((SELECT array_agg(pg_get_expr(p.polqual, c.oid) || '|' || pg_get_expr(p.polwithcheck, c.oid))
                 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant'), '{}')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attname = 'tenant_id'
  AND NOT a.attisdropped
"""
_GRANTS = """
SELECT c.relname, coalesce(r.rolname, 'PUBLIC'), array_agg(x.privilege_type::text)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) x
LEFT JOIN pg_roles r ON r.oid = x.grantee
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND x.grantee <> c.relowner GROUP BY 1, 2
"""
_KEYS = """
SELECT c.relname, k.conname, (SELECT attname FROM pg_attribute WHERE attrelid = k.conrelid AND attnum = k.conkey[1])
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype IN ('p', 'u') AND c.relname = ANY(%s)
"""


@pytest.mark.django_db
def test_every_table_with_a_tenant_is_fenced_or_named_here() -> None:
    fenced = {name for name, forced, _, _ in _rows(_COLUMNS) if forced}
    with_tenant = {name for name, _, _, _ in _rows(_COLUMNS)}
    assert with_tenant - fenced == _BEFORE_A_TENANT
    assert set(tenant_tables()) == fenced


@pytest.mark.django_db
def test_each_policy_compares_the_tenant_by_equality_for_reading_and_writing() -> None:
    expected = "(tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::integer)"
    for name, forced, not_null, policies in _rows(_COLUMNS):
        if forced:
            assert (name, policies) == (name, [f"{expected}|{expected}"])
            assert not_null, f"{name}.tenant_id may be null"


@pytest.mark.django_db
def test_keys_of_fenced_tables_begin_with_the_tenant() -> None:
    assert {(table, key) for table, key, first in _rows(_KEYS, [tenant_tables()]) if first != "tenant_id"} == set()


@pytest.mark.django_db
def test_the_app_holds_the_grants_it_needs_and_no_other() -> None:
    grants = {(table, role): set(rights) for table, role, rights in _rows(_GRANTS)}
    assert {role for _, role in grants} <= {"andon_app", "andon_fleet"}
    for table in tenant_tables():
        assert grants[table, "andon_app"] == ({"SELECT", "INSERT"} if table in _APPEND_ONLY else _ALL), table
    assert all(rights <= _ALL for (_, role), rights in grants.items() if role == "andon_app")
    assert all(rights == {"SELECT"} for (_, role), rights in grants.items() if role == "andon_fleet")


@pytest.mark.django_db
def test_the_app_connects_as_a_role_that_the_fence_holds() -> None:
    assert fence_faults() == []


@pytest.mark.django_db(databases=["owner"])
def test_a_connection_that_owns_tables_is_refused() -> None:
    assert any("owns tables" in fault for fault in fence_faults("owner"))


@pytest.mark.django_db(databases=["owner"])
@pytest.mark.parametrize(
    "hole",
    [
        "DROP POLICY tenant ON monitoring_run",
        "ALTER TABLE monitoring_run NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE monitoring_run DISABLE ROW LEVEL SECURITY",
    ],
)
def test_a_hole_in_the_fence_is_found(hole: str) -> None:
    fault = "table monitoring_run has no forced row-level security"
    assert fault not in fence_faults("owner")
    with _undone() as cursor:
        cursor.execute(hole)
        assert fault in fence_faults("owner")


@pytest.mark.django_db(databases=["owner"])
def test_without_the_policy_another_tenants_row_is_seen() -> None:
    with _undone() as cursor:
        first, second = _two_tenants(cursor)
        cursor.execute(f"SET LOCAL app.tenant_id = {second}")
        assert _sites_of(cursor, first) == 0
        cursor.execute("ALTER TABLE partners_site DISABLE ROW LEVEL SECURITY")
        assert _sites_of(cursor, first) == 1


@pytest.mark.django_db(databases=["owner"])
def test_a_policy_for_everyone_lets_another_tenants_row_through() -> None:
    with _undone() as cursor:
        first, second = _two_tenants(cursor)
        cursor.execute("CREATE POLICY open ON partners_site USING (true)")
        cursor.execute(f"SET LOCAL app.tenant_id = {second}")
        assert _sites_of(cursor, first) == 1


class _undone:  # noqa: N801  Reads as a statement.
    """A transaction of the tables' owner that leaves nothing behind."""

    def __enter__(self) -> Any:
        self._atomic = transaction.atomic(using="owner")
        self._atomic.__enter__()
        self._cursor = connections["owner"].cursor()
        return self._cursor

    def __exit__(self, *error: Any) -> None:
        transaction.set_rollback(True, using="owner")
        self._atomic.__exit__(None, None, None)


def _two_tenants(cursor: Any) -> tuple[int, int]:
    cursor.execute("SET LOCAL app.actor = 'system:tests'; SET LOCAL app.tenant_id = 0")
    cursor.execute("INSERT INTO partners_partner (name, slug, created_at) VALUES ('P', 'p', now()) RETURNING id")
    partner = cursor.fetchone()[0]
    made = []
    for name in ("first", "second"):
        cursor.execute("SET LOCAL app.tenant_id = 0")
        cursor.execute(
            "INSERT INTO partners_tenant (partner_id, name, slug, created_at) VALUES (%s, %s, %s, now()) RETURNING id",
            [partner, name, name],
        )
        made.append(cursor.fetchone()[0])
        cursor.execute(f"SET LOCAL app.tenant_id = {made[-1]}")
        cursor.execute(
            "INSERT INTO partners_site (tenant_id, name, slug, zone) VALUES (%s, 'Plant', 'plant', 'UTC')", [made[-1]]
        )
    # A table whose triggers still wait can't be altered.
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return made[0], made[1]


def _sites_of(cursor: Any, tenant: int) -> int:
    cursor.execute("SELECT count(*) FROM partners_site WHERE tenant_id = %s", [tenant])
    return int(cursor.fetchone()[0])


def _rows(query: str, values: list[Any] | None = None) -> Iterator[Any]:
    with connections["default"].cursor() as cursor:
        cursor.execute(query, values)
        return iter(cursor.fetchall())
