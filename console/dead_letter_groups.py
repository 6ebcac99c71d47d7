"""Dead letters by cause, as the page shows them: what is stuck, since when, and which orders are hit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Max, Min, QuerySet, Sum
from django.http import QueryDict

from console import asked
from console.sites import site_asked
from monitoring.detect.titles import business_units, counted
from monitoring.facts import BusinessKey
from monitoring.models import DeadLetter
from monitoring.models.telemetry import DeadLetterState
from monitoring.selectors.dead_letters import dead_letters_filtered
from partners.viewer import Viewer

TABS: dict[str, str] = {
    DeadLetterState.OPEN: "Stuck",
    DeadLetterState.ACCEPTED: "Accepted as lost",
    DeadLetterState.DISCARDED: "Discarded",
    DeadLetterState.REDRIVEN: "Redriven",
}
#: The keys of the newest letters, this many, are read to say which orders are hit.
_KEYS_READ = 5_000
_MOST_GROUPS = 200
_CAUSE = ("workflow_id", "destination", "error_class")


@dataclass(frozen=True, slots=True)
class Cause:
    """What the members of a group have in common."""

    workflow: int
    destination: str
    error_class: str

    @classmethod
    def read(cls, query: QueryDict) -> Cause | None:
        """Read the group that the address opens."""
        workflow = asked.number(query, "workflow")
        if workflow is None or "destination" not in query or "error_class" not in query:
            return None
        return cls(workflow, asked.text(query, "destination"), asked.text(query, "error_class"))


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """What the address asks for. `workflow` alone narrows; with destination and error class it opens a group."""

    state: str = DeadLetterState.OPEN
    key: str = ""
    workflow: int | None = None
    site: str = ""
    before: str = ""
    letter: int | None = None
    cause: Cause | None = None

    @classmethod
    def read(cls, query: QueryDict) -> LetterFilter:
        """Read the address."""
        return cls(
            state=asked.one_of(query, "state", TABS, default=DeadLetterState.OPEN),
            key=asked.text(query, "key"),
            workflow=asked.number(query, "workflow"),
            site=asked.text(query, "site", 60),
            before=asked.text(query, "before", 60),
            letter=asked.number(query, "letter"),
            cause=Cause.read(query),
        )


@dataclass(frozen=True, slots=True)
class Group:
    """One row of the page. `hit` names the orders in business words, "" where no key does; `href` opens or shuts it."""

    cause: Cause
    workflow: str
    count: int
    oldest: datetime
    newest: datetime
    value: Decimal | None
    hit: str
    is_open: bool
    href: str


def letters_asked(viewer: Viewer, wanted: LetterFilter) -> QuerySet[DeadLetter]:
    """Return the dead letters that pass the filter, whatever their group; an open group hides no other."""
    return dead_letters_filtered(
        viewer,
        state=wanted.state,
        key=wanted.key,
        site=site_asked(viewer, wanted.site),
        workflow=wanted.workflow if wanted.cause is None else None,
    )


def members_of(viewer: Viewer, wanted: LetterFilter, cause: Cause) -> QuerySet[DeadLetter]:
    """Return the members of one group."""
    return letters_asked(viewer, wanted).filter(
        workflow_id=cause.workflow, destination=cause.destination, error_class=cause.error_class
    )


def groups_asked(viewer: Viewer, wanted: LetterFilter) -> list[Group]:
    """Return the groups, the one that has been stuck longest first: its clock has run furthest."""
    letters = letters_asked(viewer, wanted)
    totals = letters.order_by().values(*_CAUSE, "workflow__name").annotate(
        total=Count("pk"), oldest=Min("died_at"), newest=Max("died_at"), worth=Sum("value")
    )  # fmt: skip
    keys = _keys_by_cause(letters)
    groups = []
    for row in totals.order_by("oldest", *_CAUSE)[:_MOST_GROUPS]:
        cause = Cause(*(row[name] for name in _CAUSE))
        kind, count = business_units(keys.get(cause, ()))
        groups.append(
            Group(
                cause=cause,
                workflow=row["workflow__name"],
                count=row["total"],
                oldest=row["oldest"],
                newest=row["newest"],
                value=row["worth"],
                hit=counted(count, kind) if count else "",
                is_open=cause == wanted.cause,
                href=_href(wanted, None if cause == wanted.cause else cause),
            )
        )
    return groups


def _href(wanted: LetterFilter, cause: Cause | None) -> str:
    named = {name: value or None for name, value in (("key", wanted.key), ("site", wanted.site))}
    return asked.exact({"state": wanted.state, **named, **(asdict(cause) if cause else {})})


def _keys_by_cause(letters: QuerySet[DeadLetter]) -> dict[Cause, list[BusinessKey]]:
    found: dict[Cause, list[BusinessKey]] = {}
    for *cause, keys in letters.order_by("-died_at").values_list(*_CAUSE, "keys")[:_KEYS_READ]:
        pairs = [BusinessKey(str(key["type"]), str(key["value"])) for key in keys]
        found.setdefault(Cause(*cause), []).extend(pairs)
    return found
