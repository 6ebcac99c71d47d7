"""In whose name and for which tenant the current transaction runs.

Every read and write of tenant data happens inside `tenant_scope`. It opens a transaction and states the context with
`SET LOCAL`, which is what the row-level security policies and the audit triggers read. (`set_config()` would not reach
the shards of a distributed database, and a session-wide setting would leak through a connection pool.)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.db import connections, transaction
from psycopg import sql

from partners.database.statements import gathering, tell_once

#: The scope of writes that belong to no tenant: partners, tenants themselves, brands. No tenant has this id.
INSTALLATION = 0


class NoTenantScope(RuntimeError):
    """Tenant data was asked for outside a scope."""


class ScopeConflict(RuntimeError):
    """A scope for one tenant was opened inside the transaction of another."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Who acts, for whom, and why. `actor` is `user:<id>`, `token:<prefix>` or `system:<part>`."""

    tenant_id: int
    actor: str
    on_behalf_of: str = ""
    reason: str = ""


_current: ContextVar[Scope | None] = ContextVar("andon_scope", default=None)


def current_scope() -> Scope:
    """Return the open scope, or raise NoTenantScope."""
    scope = _current.get()
    if scope is None:
        raise NoTenantScope("Tenant data is read and written inside tenant_scope(...) only; open one around this call.")
    return scope


def scope_is_open() -> bool:
    """Say whether a scope is open."""
    return _current.get() is not None


def current_tenant_id() -> int:
    """Return the tenant whose data may be seen now."""
    return current_scope().tenant_id


@contextmanager
def tenant_scope(
    tenant_id: int,
    *,
    actor: str,
    on_behalf_of: str = "",
    reason: str = "",
    using: str = "default",
) -> Iterator[Scope]:
    """Open a transaction in which exactly this tenant's rows exist. Nested scopes must name the same tenant."""
    outer = _current.get()
    if outer is not None and outer.tenant_id != tenant_id:
        raise ScopeConflict(f"a scope for tenant {tenant_id} inside one for tenant {outer.tenant_id}")
    scope = Scope(tenant_id, actor, on_behalf_of, reason)
    # Within a transaction that is under way, an earlier scope's words still stand.
    is_new = not connections[using].in_atomic_block
    with transaction.atomic(using=using), gathering(using, commit=is_new):
        _state(scope, using, whole=not is_new)
        token = _current.set(scope)
        try:
            yield scope
        finally:
            _current.reset(token)
        if outer is not None:
            # A savepoint that is released keeps SET LOCAL, so the outer actor is stated again.
            _state(outer, using, whole=True)


@contextmanager
def installation_scope(*, actor: str, reason: str = "", using: str = "default") -> Iterator[Scope]:
    """Open a transaction for rows above the tenants. No tenant's rows exist in it."""
    with tenant_scope(INSTALLATION, actor=actor, reason=reason, using=using) as scope:
        yield scope


def _state(scope: Scope, using: str, *, whole: bool) -> None:
    """Set what policies and triggers read; a new transaction knows nothing yet, so what is empty need not be said."""
    wanted = (
        ("app.tenant_id", str(scope.tenant_id)),
        ("app.actor", scope.actor),
        ("app.on_behalf_of", scope.on_behalf_of),
        ("app.reason", scope.reason),
    )
    for name, value in wanted:
        if whole or value:
            tell_once(f"SET LOCAL {name} = {_literal(value)}", using)


def _literal(value: str) -> str:
    """The value as a string constant of SQL, whatever standard_conforming_strings says."""
    if value.isascii() and value.replace(":", "").replace("_", "").replace("-", "").isalnum():
        return f"'{value}'"
    return sql.Literal(value.replace("\x00", "")).as_string()
