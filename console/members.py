"""Who works in a tenant: the people an alert can be given to, and the names behind actors."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from partners.models import Membership, User
from partners.roles import RIGHTS, Right, Role
from partners.viewer import Viewer

_HANDLERS = [role.value for role in Role if Right.HANDLE_ALERTS in RIGHTS[role]]


def members(viewer: Viewer) -> list[User]:
    """Return who may handle alerts in the tenant, its partner's people included. A supplier learns no names."""
    if viewer.is_supplier_only:
        return []
    here = Q(tenant=viewer.tenant) | Q(partner_id=viewer.tenant.partner_id)
    handlers = Membership.objects.filter(here, role__in=_HANDLERS)
    return list(User.objects.filter(pk__in=handlers.values("user_id"), is_active=True).order_by("name", "email"))


def names_of(actors: Iterable[str]) -> dict[str, str]:
    """Return how pages call actors: `user:7` by name, the rest as they are."""
    known = {actor: _plain(actor) for actor in actors}
    ids = {int(actor[5:]): actor for actor in known if actor.startswith("user:") and actor[5:].isdigit()}
    for person in User.objects.filter(pk__in=ids):
        known[ids[person.pk]] = str(person)
    return known


def _plain(actor: str) -> str:
    kind, _, rest = actor.partition(":")
    match kind:
        case "system" | "telemetry":
            return "Andon" if kind == "system" else "the source itself"
        case "token":
            return f"service token {rest}"
        case _:
            return actor
