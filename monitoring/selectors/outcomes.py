"""What became of a tenant's requests, by the hour: exporters never tell their people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from django.db.models import Sum

from monitoring.models import IntakeOutcome
from monitoring.selectors.visibility import tenant_rows
from partners.viewer import Viewer

#: Told to come back, and exporters do: nothing is lost unless they give up first.
THROTTLED = (429, 503)
HOURS = 24


@dataclass(frozen=True, slots=True)
class Answered:
    """Requests of one key that were answered alike in an hour; `items` is 0 where they were refused unread."""

    hour: datetime
    signal: str
    status: int
    reason: str
    key_prefix: str
    requests: int
    items: int

    @property
    def comes_back(self) -> bool:
        """Whether the sender was asked to send it again."""
        return self.status in THROTTLED


@dataclass(frozen=True, slots=True)
class HourOfIntake:
    """What arrived in an hour. Requests and items received are what was accepted, rejected and throttled together."""

    hour: datetime
    accepted: int = 0
    repeated: int = 0
    rejected: int = 0
    throttled: int = 0
    items_accepted: int = 0
    items_rejected: int = 0
    items_throttled: int = 0

    @property
    def received(self) -> int:
        """Requests that were answered."""
        return self.accepted + self.rejected + self.throttled

    @property
    def items_received(self) -> int:
        """Items that were read."""
        return self.items_accepted + self.items_rejected + self.items_throttled


@dataclass(frozen=True, slots=True)
class Account:
    """The last hours, newest first, their sum, and every refusal in them."""

    hours: Sequence[HourOfIntake]
    total: HourOfIntake
    refused: Sequence[Answered]


def account_of_intake(viewer: Viewer, now: datetime, *, hours: int = HOURS) -> Account:
    """Read what became of all requests since the hour `hours` ago. One statement over a few rows an hour."""
    rows = (
        tenant_rows(viewer, IntakeOutcome)
        .filter(hour__gt=now - timedelta(hours=hours))
        .order_by("-hour", "status", "reason", "signal", "key_prefix")
        .values_list("hour", "signal", "status", "reason", "key_prefix")
        .annotate(Sum("requests"), Sum("items"), Sum("rejected"))
    )
    by_hour: dict[datetime, HourOfIntake] = {}
    refused: list[Answered] = []
    for hour, signal, status, reason, key_prefix, requests, items, rejected in rows:
        answered = Answered(hour, signal, status, reason, key_prefix, requests, items)
        by_hour[hour] = _plus(by_hour.get(hour, HourOfIntake(hour)), _share(answered, rejected))
        if status != 200:
            refused.append(answered)
    total = HourOfIntake(now)
    for one in by_hour.values():
        total = _plus(total, one)
    return Account(list(by_hour.values()), total, refused)


def _share(one: Answered, rejected: int) -> HourOfIntake:
    if one.status == 200:
        repeated = one.requests if one.reason == "repeated" else 0
        return HourOfIntake(one.hour, one.requests, repeated, items_accepted=one.items, items_rejected=rejected)
    if one.comes_back:
        return HourOfIntake(one.hour, throttled=one.requests, items_throttled=one.items)
    return HourOfIntake(one.hour, rejected=one.requests, items_rejected=one.items)


def _plus(one: HourOfIntake, other: HourOfIntake) -> HourOfIntake:
    names = [each.name for each in fields(HourOfIntake) if each.name != "hour"]
    return HourOfIntake(one.hour, *(getattr(one, name) + getattr(other, name) for name in names))
