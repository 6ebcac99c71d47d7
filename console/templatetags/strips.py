"""The 24 hour strip: one bar an hour, whose height says the state as well as its colour does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from django import template
from django.template.context import RequestContext
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from monitoring.selectors.board import Hour
from monitoring.selectors.standing import STATES

register = template.Library()

#: Of 24 pixels. What is worse stands taller; silence is a dot on the ground.
_HEIGHT = {"dead": 24, "breach": 20, "warn": 16, "watch": 12, "ok": 8, "unknown": 2}
_WORDS = {
    "dead": "with dead letters",
    "breach": "past the SLA",
    "warn": "with failures or retries",
    "watch": "to watch",
    "unknown": "silent",
    "ok": "as promised",
}


@register.simple_tag(takes_context=True)
def strip(context: RequestContext, hours: Sequence[Hour], zone: str = "") -> SafeString:
    """Draw the hours. A screen reader gets the sum, a pointer each hour."""
    clock = ZoneInfo(zone or str(context.get("zone") or "UTC"))
    step = 100 / max(1, len(hours))
    bars = format_html_join(
        "",
        '<g class="{}" data-tip="{}"><rect class="hit" x="{}%" width="{}%" height="24"></rect>'
        '<rect class="bar-hour" x="{}%" y="{}" width="{}%" height="{}" rx="1"></rect></g>',
        (
            (
                hour.standing.state,
                f"{_span(hour, clock)}: {hour.standing.word}",
                f"{index * step:.3f}",
                f"{step:.3f}",
                f"{index * step + step * 0.12:.3f}",
                24 - _HEIGHT[hour.standing.state],
                f"{step * 0.76:.3f}",
                _HEIGHT[hour.standing.state],
            )
            for index, hour in enumerate(hours)
        ),
    )
    return format_html('<svg class="strip" role="img" aria-label="{}" height="24">{}</svg>', _summary(hours), bars)


def _span(hour: Hour, clock: ZoneInfo) -> str:
    start = hour.at.astimezone(clock)
    return f"{start:%H:%M} to {start + timedelta(hours=1):%H:%M}"


def _summary(hours: Sequence[Hour]) -> str:
    counted = Counter(hour.standing.state for hour in hours)
    parts = [f"{counted[state]} h {_WORDS[state]}" for state in STATES if counted[state]]
    return f"Last {len(hours)} h: {', '.join(parts)}"
