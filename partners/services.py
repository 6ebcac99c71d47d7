"""Writes of the bottom floor: provision partners, tenants, sites and people; issue and revoke keys."""

from __future__ import annotations

from django.utils import timezone
from django.utils.text import slugify

from partners.keys import NewKey, make_key
from partners.models import ApiToken, Brand, IngestKey, KeyDigest, Membership, Partner, Site, Tenant, User
from partners.models.keys import AccessKey, KeyKind
from partners.roles import PARTNER_ROLES, Role
from partners.scope import installation_scope, tenant_scope


def partner_ensure(*, name: str, actor: str) -> Partner:
    """Find or make a partner by name."""
    with installation_scope(actor=actor):
        return Partner.objects.get_or_create(name=name, defaults={"slug": _free_slug(Partner, name)})[0]


def tenant_ensure(*, partner: Partner, name: str, actor: str) -> Tenant:
    """Find or make a tenant of a partner by name."""
    with installation_scope(actor=actor):
        defaults = {"slug": _free_slug(Tenant, name)}
        return Tenant.objects.get_or_create(partner=partner, name=name, defaults=defaults)[0]


def site_ensure(*, tenant: Tenant, name: str, actor: str, slug: str = "", zone: str = "UTC") -> Site:
    """Find or make a site of a tenant by its short name."""
    with tenant_scope(tenant.pk, actor=actor):
        slug = slug or slugify(name)[:60] or "site"
        site: Site = Site.objects.get_or_create(slug=slug, defaults={"name": name, "zone": zone, "tenant": tenant})[0]
        return site


def user_ensure(*, email: str, name: str = "", password: str | None = None, actor: str) -> tuple[User, bool]:
    """Find or make a person by e-mail address; says whether it made them. A password is set only on making."""
    with installation_scope(actor=actor):
        known = User.objects.filter(email=email.lower()).first()
        if known is not None:
            return known, False
        return User.objects.create_user(email, password, name=name), True


def password_set(*, user: User, password: str, actor: str) -> None:
    """Give a person a new password; their open sessions end."""
    with installation_scope(actor=actor, reason="password set"):
        user.set_password(password)
        user.save(update_fields=["password"])


def membership_ensure(*, user: User, role: Role, tenant: Tenant, actor: str) -> Membership:
    """Give a person a role in a tenant, or over all tenants of its partner where the role is a partner's."""
    if role in PARTNER_ROLES:
        with installation_scope(actor=actor):
            return Membership.objects.get_or_create(user=user, partner=tenant.partner, tenant=None, role=role)[0]
    with tenant_scope(tenant.pk, actor=actor):
        return Membership.objects.get_or_create(user=user, partner=None, tenant=tenant, role=role)[0]


def ingest_key_issue(*, tenant_id: int, label: str, actor: str) -> tuple[IngestKey, NewKey]:
    """Make an ingest key; its text is known to the caller alone and only now."""
    new = make_key(KeyKind.INGEST)
    with tenant_scope(tenant_id, actor=actor):
        key = IngestKey.objects.create(tenant_id=tenant_id, prefix=new.prefix, label=label, created_by=actor)
        KeyDigest.objects.create(prefix=new.prefix, digest=new.digest, kind=KeyKind.INGEST, tenant_id=tenant_id)
    return key, new


def api_token_issue(*, tenant_id: int, label: str, actor: str, user: User | None = None) -> tuple[ApiToken, NewKey]:
    """Make an API token: the person's, or without one the tenant's service token."""
    new = make_key(KeyKind.API)
    with tenant_scope(tenant_id, actor=actor):
        token = ApiToken.objects.create(
            tenant_id=tenant_id, prefix=new.prefix, label=label, created_by=actor, user=user
        )
        KeyDigest.objects.create(prefix=new.prefix, digest=new.digest, kind=KeyKind.API, tenant_id=tenant_id, user=user)
    return token, new


def key_revoke(*, key: AccessKey, actor: str, reason: str = "") -> None:
    """Make a key worthless from the next request on. Revoking twice keeps the first time."""
    with tenant_scope(key.tenant_id, actor=actor, reason=reason):
        now = timezone.now()
        type(key).objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
        KeyDigest.objects.filter(prefix=key.prefix, revoked_at=None).update(revoked_at=now)


def brand_ensure(*, host: str, partner: Partner, name: str, accent: str, actor: str) -> Brand:
    """Find or make the look of a host name."""
    with installation_scope(actor=actor):
        return Brand.objects.get_or_create(
            host=host.lower(), defaults={"partner": partner, "name": name, "accent": accent}
        )[0]


def _free_slug(model: type[Partner | Tenant], name: str) -> str:
    base = slugify(name)[:50] or "t"
    slug, number = base, 2
    while model.objects.filter(slug=slug).exists():
        slug, number = f"{base}-{number}", number + 1
    return slug
