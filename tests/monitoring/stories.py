"""What stories of alerts are told with."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from monitoring.models import Alert
from monitoring.project import looks
from tests.cast import Member
from tests.monitoring.line import attempt, take, traces


def alerts(member: Member, kind: str) -> list[Alert]:
    with member.scope():
        return list(Alert.objects.filter(kind=kind).order_by("pk").select_related("process__owner"))


def storm(units: int, tries: int, at: datetime) -> list[bytes]:
    """One request for each round of tries: every unit fails in each but none is given up."""
    return [
        traces(
            *(
                attempt(f"unit-{unit}", number, failed=True, at=at + timedelta(seconds=number), lasts_s=0.1,
                        said={"andon.max_attempts": 9, "error.type": "TimeoutError", "order.id": f"o-{unit}"})
                for unit in range(units)
            )
        )
        for number in range(1, tries + 1)
    ]  # fmt: skip


def look_after(member: Member, body: bytes, capture: Any) -> None:
    """Take it, and remember what was looked at, as after a commit."""
    with capture() as committed:
        take(member.tenant.pk, body)
    for callback in committed:
        if callback.__module__ == looks.__name__:
            callback()
