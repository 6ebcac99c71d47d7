"""What every page's frame shows: brand, places, tenants, sites. All of it is read only where a template asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from monitoring.models import DeadLetter
from monitoring.models.alerts import AlertStatus
from monitoring.models.telemetry import DeadLetterState
from monitoring.selectors.alerts import visible_alerts
from monitoring.selectors.reception import last_received_at
from monitoring.selectors.visibility import tenant_rows, visible_rows
from partners.models import Brand, Site
from partners.roles import Right
from partners.viewer import Viewer, tenants_of


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the rail; `go` is the letter after g that leads there."""

    name: str
    label: str
    go: str
    rights: frozenset[Right]
    href: str = ""
    is_here: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """What the rail counts."""

    firing: int
    stuck: int


_VIEW = frozenset({Right.VIEW})
PLACES = (
    Place("board", "Board", "b", _VIEW),
    Place("alerts", "Alerts", "a", _VIEW),
    Place("dead_letters", "Dead letters", "d", _VIEW),
    Place("runs", "Runs", "r", _VIEW),
    Place("catalogue", "Catalogue", "c", _VIEW),
    Place("connect", "Connect", "n", frozenset({Right.VIEW_PAYLOAD})),
    Place("storage", "Storage", "s", _VIEW),
)


def frame(request: HttpRequest) -> dict[str, Any]:
    """Give templates the version, the brand of the host and, in a tenant, what stands around the page."""
    shown: dict[str, Any] = {
        "andon_version": settings.VERSION,
        "brand": SimpleLazyObject(lambda: _brand(request)),
        "viewer": None,
    }
    viewer: Viewer | None = getattr(request, "viewer", None)
    if viewer is None:
        return shown
    sites = SimpleLazyObject(lambda: list(tenant_rows(viewer, Site).order_by("name")))
    return shown | {
        "viewer": viewer,
        "places": SimpleLazyObject(lambda: places(request, viewer)),
        "tenants": SimpleLazyObject(lambda: tenants_of(viewer.user) if viewer.user else []),
        "sites": sites,
        "site": SimpleLazyObject(lambda: _site(request, sites)),
        "zone": SimpleLazyObject(lambda: _zone(request, viewer, sites)),
        "counts": SimpleLazyObject(lambda: counts(viewer)),
        "last_event_at": SimpleLazyObject(lambda: _last_event_at(viewer)),
    }


def places(request: HttpRequest, viewer: Viewer) -> list[Place]:
    """Return the rail as far as the viewer may use it."""
    here = request.resolver_match.url_name if request.resolver_match else ""
    return [
        Place(
            place.name,
            place.label,
            place.go,
            place.rights,
            reverse(place.name, kwargs={"tenant": viewer.tenant.slug}),
            is_here=place.name == here,
        )
        for place in PLACES
        if place.rights & viewer.rights
    ]


def counts(viewer: Viewer) -> Counts:
    """Count what fires and what is stuck."""
    return Counts(
        firing=visible_alerts(viewer).filter(status=AlertStatus.FIRING).count(),
        stuck=visible_rows(viewer, DeadLetter).filter(state=DeadLetterState.OPEN).count(),
    )


def _brand(request: HttpRequest) -> Brand:
    host = request.get_host().rsplit(":", 1)[0].lower()
    return Brand.objects.filter(host=host).first() or Brand(host=host, name="Andon")


def _site(request: HttpRequest, sites: Any) -> Site | None:
    wanted = request.GET.get("site", "")
    return next((site for site in sites if site.slug == wanted), None) if wanted else None


def _zone(request: HttpRequest, viewer: Viewer, sites: Any) -> str:
    """A chosen site's zone, else the person's own, else that of the only or first site."""
    chosen = _site(request, sites)
    if chosen is not None:
        return str(chosen.zone)
    if viewer.user is not None and viewer.user.zone:
        return viewer.user.zone
    return str(sites[0].zone) if len(sites) else "UTC"


def _last_event_at(viewer: Viewer) -> Any:
    return last_received_at(viewer, timezone.now())
