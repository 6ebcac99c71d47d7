"""Makes or finds all that a tenant needs to begin: partner, tenant, site, keys and a first person."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.db import transaction

from partners.models import ApiToken, IngestKey, Tenant, User
from partners.models.keys import AccessKey
from partners.roles import Role
from partners.scope import tenant_scope
from partners.services import (
    api_token_issue,
    ingest_key_issue,
    key_revoke,
    membership_ensure,
    partner_ensure,
    password_set,
    site_ensure,
    tenant_ensure,
    user_ensure,
)

_ACTOR = "system:provision"
_LABEL = "provisioned"


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What stands now, by short names. A secret is here only if this call made it."""

    partner: str
    tenant: str
    site: str | None = None
    ingest_key: str | None = None
    api_token: str | None = None
    user: str | None = None
    password: str | None = None


@transaction.atomic
def tenant_provision(
    *, partner: str, tenant: str, site: str = "", email: str = "", role: Role | None = None, rotate: bool = False
) -> Provisioned:
    """Make what is missing; `rotate` makes new secrets and revokes those that earlier calls made.

    Without a person the API token is the tenant's service token, with one it is theirs.
    """
    host = partner_ensure(name=partner, actor=_ACTOR)
    home = tenant_ensure(partner=host, name=tenant, actor=_ACTOR)
    plant = site_ensure(tenant=home, name=site, actor=_ACTOR) if site else None
    person, password = _person(home, email, role, rotate=rotate) if email else (None, None)
    return Provisioned(
        partner=host.slug,
        tenant=home.slug,
        site=plant.slug if plant else None,
        ingest_key=_ingest_key(home, rotate=rotate),
        api_token=_api_token(home, person, rotate=rotate),
        user=person.email if person else None,
        password=password,
    )


def _person(tenant: Tenant, email: str, role: Role | None, *, rotate: bool) -> tuple[User, str | None]:
    password = secrets.token_urlsafe(18)
    user, made = user_ensure(email=email, password=password, actor=_ACTOR)
    if rotate and not made:
        password_set(user=user, password=password, actor=_ACTOR)
    if role is not None:
        membership_ensure(user=user, role=role, tenant=tenant, actor=_ACTOR)
    return user, password if made or rotate else None


def _ingest_key(tenant: Tenant, *, rotate: bool) -> str | None:
    with tenant_scope(tenant.pk, actor=_ACTOR):
        live = list(IngestKey.objects.filter(label=_LABEL, revoked_at=None))
    if live and not rotate:
        return None
    _revoke(live)
    return ingest_key_issue(tenant_id=tenant.pk, label=_LABEL, actor=_ACTOR)[1].text


def _api_token(tenant: Tenant, user: User | None, *, rotate: bool) -> str | None:
    with tenant_scope(tenant.pk, actor=_ACTOR):
        live = list(ApiToken.objects.filter(label=_LABEL, revoked_at=None, user=user))
    if live and not rotate:
        return None
    _revoke(live)
    return api_token_issue(tenant_id=tenant.pk, label=_LABEL, actor=_ACTOR, user=user)[1].text


def _revoke(keys: list[AccessKey]) -> None:
    for key in keys:
        key_revoke(key=key, actor=_ACTOR, reason="rotated")
