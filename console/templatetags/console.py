"""Durations, instants, lamps and badges for the pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django import template
from django.template.context import RequestContext
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from console import words
from monitoring.selectors.standing import STATES, alert_state
from partners.roles import Right
from partners.viewer import Viewer

register = template.Library()

_NONE = "\u2013"
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw a symbol of the sprite. It says nothing to a screen reader: the word beside it does."""
    return format_html(
        '<svg aria-hidden="true" width="16" height="16"><use href="{}#{}"></use></svg>',
        static("console/lamps.svg"),
        name if name.startswith(("lamp-", "icon-")) else f"icon-{name}",
    )


@register.simple_tag
def lamp(state: str, word: str, extra: str = "") -> SafeString:
    """Show a state by a shape of its own and a word."""
    state = state if state in STATES else "unknown"
    return format_html(
        '<span class="lamp {} {}">{}<span>{}</span></span>', state, _classes("lamp", extra), icon(f"lamp-{state}"), word
    )


@register.simple_tag
def shown(table: str, name: str, extra: str = "") -> SafeString:
    """Show the lamp of a short name: `{% shown "run" run.status %}`; tables: run, sla, severity, dead_letter, alert."""
    how = words.shown(table, name)
    return lamp(how.state, how.word, extra)


@register.simple_tag
def kind_badge(kind: str, severity: str, count: int | None = None, href: str = "") -> SafeString:
    """Show an alert's kind as a badge; with `href` it leads there."""
    state = alert_state(kind, severity)
    body = format_html("{}<span>{}</span>", icon(f"lamp-{state}"), words.kind_word(kind))
    if count is not None:
        body = format_html("{} <b>{}</b>", body, number(count))
    if href:
        return format_html('<a class="badge {}" href="{}">{}</a>', state, href, body)
    return format_html('<span class="badge {}">{}</span>', state, body)


@register.simple_tag(takes_context=True)
def key(context: RequestContext, key_type: str, value: str) -> SafeString:
    """Show a business key as a chip that leads to its runs."""
    body = format_html("<span>{}</span><b>{}</b>", key_type, value)
    viewer = context.get("viewer")
    try:
        page = reverse("runs", kwargs={"tenant": viewer.tenant.slug}) if viewer else ""
    except NoReverseMatch:
        page = ""
    if not page:
        return format_html('<span class="key">{}</span>', body)
    return format_html('<a class="key" href="{}?{}">{}</a>', page, urlencode({"key": f"{key_type}:{value}"}), body)


@register.simple_tag(takes_context=True)
def when(context: RequestContext, at: datetime | None, zone: str = "", never: str = _NONE) -> SafeString:
    """Show an instant as a relative time that ticks, with the exact time in the site's zone and in UTC on demand."""
    if at is None:
        return format_html('<span class="faint">{}</span>', never)
    local = at.astimezone(_zone(zone or str(context.get("zone") or "UTC")))
    exact = f"{local:%d %b %Y, %H:%M:%S} {_zone_word(local)}"
    utc = f"{at.astimezone(UTC):%d %b %Y, %H:%M:%S} UTC"
    return format_html(
        '<time class="when" datetime="{}" data-exact="{}" data-utc="{}" title="{}" tabindex="0">{}</time>',
        at.astimezone(UTC).isoformat(),
        exact,
        utc,
        f"{exact} · {utc}",
        relative(at.astimezone(UTC), timezone.now()),
    )


@register.simple_tag(takes_context=True)
def clock(context: RequestContext, at: datetime | None, zone: str = "") -> SafeString:
    """Show the exact time in the site's zone, with UTC on demand; it does not tick."""
    if at is None:
        return format_html('<span class="faint">{}</span>', _NONE)
    local = at.astimezone(_zone(zone or str(context.get("zone") or "UTC")))
    exact = f"{local:%d %b %Y, %H:%M:%S} {_zone_word(local)}"
    return format_html(
        '<time class="when" data-fixed datetime="{}" data-exact="{}" data-utc="{}" tabindex="0">{}</time>',
        at.astimezone(UTC).isoformat(),
        exact,
        f"{at.astimezone(UTC):%d %b %Y, %H:%M:%S} UTC",
        f"{local:%d %b, %H:%M}" if at.second == at.microsecond == 0 and at.minute == 0 else f"{local:%d %b, %H:%M:%S}",
    )


@register.filter
def duration(seconds: float | Decimal | timedelta | None) -> str:
    """Write seconds with the two largest units that say something: `3 h 20 min`, `1.4 s`, `250 ms`."""
    if seconds is None:
        return _NONE
    total = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
    if total < 0:
        return f"-{duration(-total)}"
    if total == 0:
        return "0 s"
    if total < 1:
        return f"{max(1, round(total * 1000))} ms"
    if total < 10:
        return f"{total:.1f}".rstrip("0").rstrip(".") + " s"
    return _two_units(round(total))


@register.filter
def milliseconds(value: float | None) -> str:
    """Write milliseconds as a duration."""
    return duration(None if value is None else value / 1000)


@register.filter
def percent(ratio: float | Decimal | None) -> str:
    """Write a ratio of 0 to 1 in per cent; never round up to 100 what is not all."""
    if ratio is None:
        return _NONE
    value = float(ratio) * 100
    digits = 0 if value in (0, 100) else 1
    rounded = round(value, digits)
    if rounded == 100 and value < 100:
        rounded = 99.9
    return f"{rounded:.{digits}f}".removesuffix(".0") + " %"


@register.filter
def number(value: float | Decimal | None) -> str:
    """Write a number with a thin space between thousands."""
    if value is None:
        return _NONE
    text = f"{value:,}" if isinstance(value, int) else f"{float(value):,.1f}".removesuffix(".0")
    return text.replace(",", "\u202f")


@register.filter
def may(viewer: Viewer | None, right: str) -> bool:
    """Say whether the viewer holds a right: `{% if viewer|may:"handle_alerts" %}`."""
    return viewer is not None and viewer.may(Right(right))


@register.filter
def kind_word(kind: str) -> str:
    """Return the word for a kind of alert."""
    return words.kind_word(kind)


@register.filter
def per_cent_of(part: float, whole: float) -> float:
    """Return which per cent of the whole a part is, 0 to 100: the width of a bar."""
    return round(max(0.0, min(100.0, 100 * float(part) / float(whole))), 2) if whole else 0.0


@register.simple_tag(takes_context=True)
def query(context: RequestContext, **changes: Any) -> str:
    """Return this page's query string with some parameters changed; None removes one."""
    parameters = context["request"].GET.copy()
    for name, value in changes.items():
        parameters.pop(name, None)
        if value not in (None, ""):
            parameters[name] = str(value)
    return f"?{parameters.urlencode()}" if parameters else "?"


def relative(at: datetime, now: datetime) -> str:
    """Write the distance to now in one unit, as the page's script goes on to do."""
    seconds = (now - at).total_seconds()
    if abs(seconds) < 5:
        return "just now"
    size, unit = next((size, unit) for size, unit in _UNITS if abs(seconds) >= size)
    distance = f"{int(abs(seconds) // size)} {unit}"
    return f"in {distance}" if seconds < 0 else f"{distance} ago"


def _two_units(total: int) -> str:
    for (size, unit), (below, below_unit) in zip(_UNITS, (*_UNITS[1:], (1, "")), strict=True):
        if total >= size:
            whole, rest = divmod(total, size)
            part = rest // below if below_unit else 0
            return f"{whole} {unit} {part} {below_unit}" if part else f"{whole} {unit}"
    return "0 s"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _zone_word(local: datetime) -> str:
    word = local.tzname() or "UTC"
    return word if word[:1].isalpha() else f"UTC{word}"


def _classes(base: str, extra: str) -> str:
    return " ".join(f"{base}-{part}" for part in extra.split())
