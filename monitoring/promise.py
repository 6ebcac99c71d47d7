"""When a promise falls due, and whether a promise can fall due at all. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

from monitoring.rules import SlaRule

_LOCAL_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class SlaRuleError(ValueError):
    """A promise that gives no due time. The message says which part of it is wrong."""


def due_at(rule: SlaRule, started_at: datetime, stated_due_at: datetime | None) -> datetime | None:
    """When the promise falls due for a run that started then; None where the rule gives no time.

    `duration`: its seconds after the start. `due_time`: the time the automation states, else the next time after the
    start that the site's clock shows `due_local`, also on days with 23 or 25 hours.
    """
    if rule.kind == "duration":
        return None if rule.target_s is None else started_at + timedelta(seconds=rule.target_s)
    if stated_due_at is not None:
        return stated_due_at
    if rule.kind != "due_time" or not rule.due_local:
        return None
    try:
        return _next_local(rule, started_at)
    except SlaRuleError:
        return None  # A promise is checked when it is saved; one that slipped through must not stop intake.


def check(rule: SlaRule) -> None:
    """Raises SlaRuleError, naming what is wrong, for a promise that can't give a due time."""
    if rule.kind == "duration":
        if rule.target_s is None or rule.target_s <= 0:
            raise SlaRuleError(f"SLA '{rule.name}': a duration needs a target of more than 0 seconds.")
        return
    if rule.kind != "due_time":
        raise SlaRuleError(f"SLA '{rule.name}': the kind is 'duration' or 'due_time', not '{rule.kind}'.")
    if not rule.due_local and not rule.due_attribute:
        raise SlaRuleError(f"SLA '{rule.name}': name the attribute that holds the due time, or a daily time HH:MM.")
    if rule.due_local:
        _next_local(rule, datetime(2026, 1, 1, tzinfo=UTC))


def _next_local(rule: SlaRule, started_at: datetime) -> datetime:
    matched = _LOCAL_TIME.fullmatch(rule.due_local)
    if matched is None:
        raise SlaRuleError(f"SLA '{rule.name}': the daily time is written HH:MM, not '{rule.due_local}'.")
    zone = _zone(rule)
    at = time_of_day(int(matched[1]), int(matched[2]))
    day = started_at.astimezone(zone).date()
    candidate = datetime.combine(day, at, zone).astimezone(UTC)
    if candidate <= started_at:
        # The next calendar day, not 24 hours later: the days on which clocks change are shorter or longer.
        candidate = datetime.combine(day + timedelta(days=1), at, zone).astimezone(UTC)
    return candidate


def _zone(rule: SlaRule) -> ZoneInfo:
    try:
        return ZoneInfo(rule.zone)
    except (ValueError, OSError, KeyError):
        raise SlaRuleError(f"SLA '{rule.name}': '{rule.zone}' is no IANA time zone.") from None
