"""Values that a database would refuse: one of them may never cost its sender the whole request, or all that follow."""

from __future__ import annotations

from typing import Any

import pytest

from monitoring.models import Alert, Event, Run
from tests.cast import Member
from tests.monitoring.line import attempt, died, event, span, take, take_events, traces

LONG = "x" * 5_000
_HUGE = 2**63 - 1

_SPANS: dict[str, dict[str, Any]] = {
    "long name": span(LONG),
    "nul in name": span("re\x00lease"),
    "line of every control character": span("".join(map(chr, range(32)))),
    "long keys": span(said={"order.id": LONG, LONG: "1"}),
    "list of many orders": span(said={"order.id": [f"{number}" for number in range(500)]}),
    "attempt beyond 32 bits": attempt("u", _HUGE, failed=True),
    "attempt below one": attempt("u", -5, failed=True),
    "limit beyond 32 bits": attempt("u", 2, failed=True, said={"andon.max_attempts": _HUGE}),
    "limit below nought": attempt("u", 2, failed=True, said={"andon.max_attempts": -1}),
    "resends beyond 32 bits": span(failed=True, said={"http.request.resend_count": _HUGE}),
    "long unit": attempt(LONG, 2, phase="dead"),
    "long destination and long error": attempt(
        "u", 2, phase="dead", said={"andon.destination": LONG, "error.type": LONG}
    ),
    "value beyond its column": span(said={"andon.value": 5e13}),
    "value that rounds beyond its column": span(said={"andon.value": 999_999_999_999.999}),
    "value that is no number": span(said={"andon.value": "NaN"}),
    "due at the end of all days": span(said={"andon.due_at": "9999-12-31T23:59:59.999999Z"}),
    "due in the first year": span(said={"andon.due_at": "0001-01-01T00:00:00Z"}),
    "long workflow and version": span(said={"andon.workflow": LONG, "andon.workflow.version": LONG}),
    "long site": span(said={"andon.site": LONG}),
    "own parent": span(number=4, parent=4),
    "separator of our own in a name": span(said={"andon.key.lot": "a\x1fb"}),
}


@pytest.mark.parametrize("name", _SPANS)
@pytest.mark.parametrize("service", ["erp-bridge", LONG], ids=["service", "long service"])
def test_it_takes_a_span_with_a(owner: Member, name: str, service: str) -> None:
    assert take(owner.tenant.pk, traces(_SPANS[name], service=service)).status == 200
    with owner.scope():
        assert Run.objects.count() == 1


_EVENTS: dict[str, dict[str, Any]] = {
    "long subject": event("order.released", LONG),
    "long death": died("m", message=LONG, destination=LONG, error_class=LONG, queue=LONG),
    "attempts beyond 32 bits": died("m", attempts=_HUGE),
    "attempts that are text": died("m", attempts="three"),  # type: ignore[arg-type]
    "nul in data": {**event("order.released"), "data": {"order_id": "47\x0011", "ke\x00y": "v"}},
    "long type": {**event("order.released"), "type": f"dev.andon.mfg.order.{'r' * 900}.v1"},
    "long extension": {**event("order.released"), "correlationid": LONG, "sequence": LONG, "bamptxsid": LONG},
    "value beyond its column": event("order.released", value=10**15),
    "last instant that is taken": {**died("m"), "time": "2199-12-31T23:59:59.999999Z"},
    "first instant that is taken": {**died("m"), "time": "1970-01-01T00:00:01Z"},
}


@pytest.mark.parametrize("name", _EVENTS)
def test_it_takes_an_event_with_a(owner: Member, name: str) -> None:
    assert take_events(owner.tenant.pk, _EVENTS[name]).status == 200
    with owner.scope():
        assert Event.objects.count() == 1


def test_it_keeps_two_events_apart_whose_long_ids_begin_alike(owner: Member) -> None:
    ids = [f"{'a' * 600}{number}" for number in range(2)]
    take_events(owner.tenant.pk, *({**event("order.released"), "id": given} for given in ids))
    with owner.scope():
        assert Event.objects.count() == 2


def test_it_keeps_two_alerts_apart_whose_long_fingerprints_begin_alike(owner: Member) -> None:
    for number in range(2):
        take_events(owner.tenant.pk, died(f"m-{number}", error_class=f"{'E' * 190}{number}", queue="q" * 150))
    with owner.scope():
        assert Alert.objects.filter(kind="dead_letter").values("fingerprint").distinct().count() == 2
