"""The cast of the suite: an owner, a colleague of the same tenant, a stranger from another; and a supplier."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pytest
from django.http.response import HttpResponseBase
from django.test import Client

from partners.models import Tenant, User
from partners.roles import Role
from partners.scope import Scope, tenant_scope
from partners.services import api_token_issue, membership_ensure, partner_ensure, tenant_ensure, user_ensure
from partners.viewer import Viewer, viewer_of

_ACTOR = "system:tests"
PASSWORD = "a long enough password"


@dataclass(frozen=True, slots=True)
class Member:
    """One of the cast: a person with a role in a tenant and a token of their own."""

    user: User
    tenant: Tenant
    token: str

    @property
    def viewer(self) -> Viewer:
        """The person as a viewer, with the roles they hold now."""
        viewer = viewer_of(self.user, self.tenant)
        assert viewer is not None
        return viewer

    def scope(self) -> AbstractContextManager[Scope]:
        """Their tenant's scope, with them as the actor."""
        return tenant_scope(self.tenant.pk, actor=f"user:{self.user.pk}")

    def get(self, path: str, **query: str) -> Any:
        """Ask the API."""
        return self._ask("get", path, query)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send JSON to the API."""
        return self._ask("post", path, body or {}, content_type="application/json")

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change something over the API."""
        return self._ask("patch", path, body, content_type="application/json")

    def delete(self, path: str) -> Any:
        """Remove something over the API."""
        return self._ask("delete", path, None)

    def _ask(self, method: str, path: str, data: Any, **options: Any) -> HttpResponseBase:
        client = Client(headers={"Authorization": f"Bearer {self.token}"})
        answer: HttpResponseBase = getattr(client, method)(f"/api/v1/{path}", data, **options)
        return answer


def make_tenant(name: str) -> Tenant:
    """A tenant; all tenants of the suite are siblings under one partner."""
    return tenant_ensure(partner=partner_ensure(name="Northwind Services", actor=_ACTOR), name=name, actor=_ACTOR)


def make_member(tenant: Tenant, role: Role, email: str) -> Member:
    """A person with this role in the tenant."""
    user, _ = user_ensure(email=email, password=PASSWORD, actor=_ACTOR)
    membership_ensure(user=user, role=role, tenant=tenant, actor=_ACTOR)
    _, new = api_token_issue(tenant_id=tenant.pk, label="tests", actor=_ACTOR, user=user)
    return Member(user, tenant, new.text)


@pytest.fixture
def owner(db: None) -> Member:
    """Administers the tenant that the tests are about."""
    return make_member(make_tenant("Aster Foods"), Role.TENANT_ADMIN, "owner@aster.example")


@pytest.fixture
def colleague(owner: Member) -> Member:
    """An integration engineer of the same tenant."""
    return make_member(owner.tenant, Role.INTEGRATION_ENGINEER, "colleague@aster.example")


@pytest.fixture
def stranger(db: None) -> Member:
    """Administers another tenant of the same partner: may do everything there, and nothing here."""
    return make_member(make_tenant("Borealis Pharma"), Role.TENANT_ADMIN, "stranger@borealis.example")


@pytest.fixture
def supplier(owner: Member) -> Member:
    """Plant IT of a supplier, who sees the processes granted one by one."""
    return make_member(owner.tenant, Role.SUPPLIER, "supplier@cargo.example")


@pytest.fixture
def observer(owner: Member) -> Member:
    """An executive of the tenant: sees and changes nothing."""
    return make_member(owner.tenant, Role.EXECUTIVE, "observer@aster.example")
