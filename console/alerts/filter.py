"""Which alerts a list shows: its filter as it stands in the address, its order, and what there is to choose from."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When
from django.http import QueryDict

from console import asked
from console.asked import Option
from console.members import members
from console.sites import site_asked
from console.words import kind_word
from monitoring.findings import Kind, Severity
from monitoring.models import Alert
from monitoring.models.alerts import AlertStatus
from monitoring.selectors.alerts import alerts_filtered, visible_alerts
from monitoring.selectors.visibility import visible_processes
from partners.viewer import Viewer

#: What each tab of the list holds; the first is where it opens.
TABS: dict[str, tuple[str, tuple[str, ...]]] = {
    "open": ("Open", (AlertStatus.FIRING, AlertStatus.ACKNOWLEDGED)),
    "firing": ("Firing", (AlertStatus.FIRING,)),
    "acknowledged": ("Acknowledged", (AlertStatus.ACKNOWLEDGED,)),
    "resolved": ("Resolved", (AlertStatus.RESOLVED,)),
    "all": ("All", ()),
}
_STATUS_ORDER = Case(
    *(When(status=status, then=Value(place)) for place, status in enumerate(AlertStatus.values)),
    output_field=IntegerField(),
)
_LOUDEST_FIRST = Case(
    *(When(severity=severity.value, then=Value(place)) for place, severity in enumerate(Severity)),
    default=Value(len(Severity)),
    output_field=IntegerField(),
)


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """What the address asks for; empty fields ask for everything. `assignee` is a user's id, `me` or `nobody`."""

    status: str = "open"
    kind: str = ""
    severity: str = ""
    process: int | None = None
    assignee: str = ""
    site: str = ""

    @classmethod
    def read(cls, query: QueryDict) -> AlertFilter:
        """Read the address."""
        assignee = query.get("assignee", "")
        person = asked.number(query, "assignee")
        return cls(
            status=asked.one_of(query, "status", TABS, default="open"),
            kind=asked.one_of(query, "kind", set(Kind)),
            severity=asked.one_of(query, "severity", set(Severity)),
            process=asked.number(query, "process"),
            assignee=assignee if assignee in {"me", "nobody"} else str(person or ""),
            site=asked.text(query, "site", 60),
        )

    @property
    def narrowed(self) -> bool:
        """Whether anything but the tab is chosen."""
        return bool(self.kind or self.severity or self.process or self.assignee)

    @property
    def address(self) -> str:
        """The filter as a query string."""
        status = "" if self.status == "open" else self.status
        return asked.address({
            "status": status,
            "kind": self.kind,
            "severity": self.severity,
            "process": self.process,
            "assignee": self.assignee,
            "site": self.site,
        })  # fmt: skip


def alerts_asked(viewer: Viewer, wanted: AlertFilter) -> QuerySet[Alert]:
    """Return the alerts of the list: firing first, then the loudest, then the most impact, then the newest."""
    found = _narrowed(viewer, wanted, TABS[wanted.status][1])
    if wanted.status == "resolved":
        return found.order_by("-resolved_at", "-pk")
    return found.order_by(_STATUS_ORDER, _LOUDEST_FIRST, "-impact_score", "-last_seen_at", "-pk")


def tab_counts(viewer: Viewer, wanted: AlertFilter) -> dict[str, int]:
    """Count what the open tabs hold under the rest of the filter. What is resolved only grows, so nobody counts it."""
    counts = (
        _narrowed(viewer, wanted, TABS["open"][1])
        .order_by()
        .aggregate(
            firing=Count("pk", filter=Q(status=AlertStatus.FIRING)),
            acknowledged=Count("pk", filter=Q(status=AlertStatus.ACKNOWLEDGED)),
            critical=Count("pk", filter=Q(status=AlertStatus.FIRING, severity=Severity.CRITICAL)),
        )
    )
    return {**counts, "open": counts["firing"] + counts["acknowledged"]}


def choices(viewer: Viewer) -> dict[str, list[Option]]:
    """Return what each filter offers: only kinds that the tenant has seen, its processes, its members."""
    seen = visible_alerts(viewer).order_by().values_list("kind", flat=True).distinct()
    processes = visible_processes(viewer).order_by("name").values_list("pk", "name")
    return {
        "kind": sorted((Option(kind, kind_word(kind)) for kind in seen), key=lambda option: option.label),
        "severity": [Option(severity.value, severity.value.capitalize()) for severity in Severity],
        "process": [Option(str(pk), name) for pk, name in processes],
        "assignee": [
            Option("me", "Me"),
            Option("nobody", "Nobody"),
            *(Option(str(person.pk), str(person)) for person in members(viewer)),
        ],
    }


def _narrowed(viewer: Viewer, wanted: AlertFilter, statuses: tuple[str, ...]) -> QuerySet[Alert]:
    found = alerts_filtered(
        viewer,
        status=statuses,
        kind=[wanted.kind] if wanted.kind else (),
        severity=[wanted.severity] if wanted.severity else (),
        process=wanted.process,
        site=site_asked(viewer, wanted.site),
    )
    match wanted.assignee:
        case "":
            return found
        case "me":
            return found.filter(assignee=viewer.user)
        case "nobody":
            return found.filter(assignee=None)
        case person:
            return found.filter(assignee_id=int(person))
