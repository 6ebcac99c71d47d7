"""Refuses to start where the fence between tenants would not hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections
from django.db.utils import Error as DatabaseError

from partners.models import TenantManager

_ROLE = """
SELECT current_user, r.rolsuper, r.rolbypassrls,
       EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
                 AND pg_has_role(current_user, c.relowner, 'USAGE'))
FROM pg_roles r WHERE r.rolname = current_user
"""
_UNFENCED = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname = ANY(%s)
  AND NOT (c.relrowsecurity AND c.relforcerowsecurity
           AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid))
"""


def fence_faults(using: str = "default") -> list[str]:
    """Return every reason why the app's connection could see past row-level security; empty means it can't."""
    faults = []
    with connections[using].cursor() as cursor:
        cursor.execute(_ROLE)
        role, is_super, bypasses, owns = cursor.fetchone()
        if is_super:
            faults.append(f"the app connects as {role}, a superuser, whom row-level security does not hold")
        if bypasses:
            faults.append(f"the app connects as {role}, which has BYPASSRLS")
        if owns:
            faults.append(f"the app connects as {role}, which owns tables (or belongs to a role that does)")
        cursor.execute(_UNFENCED, [tenant_tables()])
        faults += [f"table {name} has no forced row-level security" for (name,) in cursor.fetchall()]
    return faults


def tenant_tables() -> list[str]:
    """Return the tables that hold tenants' rows and must be fenced."""
    fenced = [model for model in apps.get_models() if isinstance(model._meta.default_manager, TenantManager)]
    return [model._meta.db_table for model in fenced]


@register(Tags.database)
def check_fence(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Run with `check --database default`, and by the console before it serves."""
    if not databases or "default" not in databases:
        return []
    hint = f"DATABASE_URL's app role must be a plain login role such as {settings.DATABASE_ROLES['app']}."
    try:
        return [Error(fault, hint=hint, id="partners.E001") for fault in fence_faults()]
    except DatabaseError as error:
        return [Error(f"the database can't be asked: {error}", id="partners.E002")]
