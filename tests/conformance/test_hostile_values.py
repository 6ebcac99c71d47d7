"""Hostile values, each in a batch of 100 good ones sent to a running console: the good ones are always taken."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from monitoring.models import Event, Intake, Run
from monitoring.selectors.spans import spans_within
from tests.conformance.bodies import js_batch, js_span, new_trace, pb_batch, pb_span
from tests.conformance.corpus import BATCH, EVENTS
from tests.conformance.poison import GOOD, VALUES
from tests.conformance.test_otlp_rules import partial
from tests.live import LiveConsole
from tests.online import PROTOBUF, Online


@pytest.mark.parametrize("name", VALUES)
def test_it_takes_100_good_spans_beside_a_span_with(aster: Online, name: str) -> None:
    given, trace = VALUES[name], new_trace()
    answer = aster.post("/v1/traces", given.body(trace), given.encoding)
    told = partial(answer)
    assert (answer.status, told[0] if told else 0) == (200, given.rejected), answer.body
    assert given.words in (told[1] if told else "")
    with aster.rows():
        run = Run.objects.get(trace_id=trace)
        kept = Intake.objects.get(pk=run.intakes[0])
        spans = spans_within([kept], trace)
    assert (kept.items, kept.rejected) == (GOOD + 1 - given.rejected, given.rejected)
    assert (run.span_count, len(spans)) == (kept.items, kept.items)


def event(number: int, **changes: Any) -> dict[str, Any]:
    good = {"specversion": "1.0", "id": f"v-{number}", "source": "/plants/ulm", "type": "order.released"}
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


#: What is done to one event of a batch, and the reason given; none where it is taken.
_EVENTS: dict[str, tuple[dict[str, Any], str]] = {
    "ce-id-missing": ({"id": ...}, "the required attribute id is missing"),
    "ce-id-empty": ({"id": ""}, "id is not a non-empty string"),
    "ce-id-4kB": ({"id": "x" * 4_096}, "id is longer than 1024 bytes"),
    "ce-id-number": ({"id": 5}, "id is not a non-empty string"),
    "ce-source-missing": ({"source": ...}, "the required attribute source is missing"),
    "ce-source-relative": ({"source": "plants/ulm"}, ""),
    "ce-type-missing": ({"type": ...}, "the required attribute type is missing"),
    "specversion-0.3": ({"specversion": "0.3"}, "specversion is '0.3'"),
    "specversion-missing": ({"specversion": ...}, "specversion is missing"),
    "CE-extension-Uppercase": ({"Upper": "x"}, "'Upper' is not lower-case letters and digits"),
    "ce-extension-object": ({"deep": {"a": 1}}, "the extension deep is neither"),
    "ce-time-no-time": ({"time": "yesterday"}, "time: 'yesterday' is not an RFC 3339 time"),
    "ce-two-kinds-of-data": ({"data": 1, "data_base64": "AA=="}, "both data and data_base64"),
    "ce-base64-broken": ({"data_base64": "%"}, "data_base64 is not base64"),
    "ce-nul-in-data": ({"data": {"a\x00": "\x00"}}, ""),
    "ce-lone-surrogate": ({"data": {"a\udfff": "\ud800"}, "subject": "\udc00"}, ""),
    "ce-lone-surrogate-in-id": ({"id": "x\ud800"}, "id holds a control character or half a surrogate pair"),
    "ce-lone-surrogate-in-source": ({"source": "/\udfff"}, "source holds a control character or half"),
    "ce-nul-in-id": ({"id": "a\x00b"}, "id holds a control character"),
    "ce-data-64-KiB": ({"data": "x" * 65_536}, ""),
}


@pytest.mark.parametrize("name", _EVENTS)
def test_it_takes_100_good_events_beside_an_event_with(aster: Online, name: str) -> None:
    changes, reason = _EVENTS[name]
    first = sum(map(ord, name)) * 1_000
    good = [event(first + number) for number in range(GOOD)]
    body = json.dumps([*good[:50], event(first + 500, **changes), *good[50:]]).encode()
    answer = aster.post(EVENTS, body, BATCH)
    said = json.loads(answer.body)
    rejected = int(bool(reason))
    assert (answer.status, said["accepted"], said["rejected_count"]) == (200, GOOD + 1 - rejected, rejected)
    if reason:
        assert (said["rejected"][0]["index"], reason in said["rejected"][0]["reason"]) == (50, True)
    with aster.rows():
        assert Event.objects.filter(event_id__in=[one["id"] for one in good]).count() == GOOD


def test_a_span_id_with_two_payloads_is_shown_once_and_both_are_kept(aster: Online) -> None:
    """`same-span-id-two-payloads`: a conflict, not a repeat. Both requests stand in the intake log as they came; the
    run shows the span once, as one of them told it, and the same one each time it is opened."""
    trace, told = new_trace(), {"as first told", "as told again"}
    for name in sorted(told):
        assert partial(aster.post("/v1/traces", pb_batch(pb_span(trace, 1, name=name)), PROTOBUF)) is None
    shown = []
    for _ in range(3):
        with aster.rows():
            kept = Intake.objects.filter(pk__in=Run.objects.get(trace_id=trace).intakes).order_by("id")
            assert kept.count() == 2
            shown.append([span.name for span in spans_within(kept, trace)])
    assert len(shown[0]) == 1
    assert shown[0][0] in told
    assert shown == [shown[0]] * 3


def test_one_trace_id_of_two_tenants_is_two_runs(
    aster: Online, live_console: LiveConsole, django_db_blocker: DjangoDbBlocker
) -> None:
    """`same-trace-id-two-tenants`: even the very same bytes are each tenant's own."""
    other, trace = Online(live_console, django_db_blocker, "Borealis Pharma"), new_trace()
    body = pb_batch(pb_span(trace, 1))
    for tenant in (aster, other):
        assert tenant.post("/v1/traces", body, PROTOBUF).status == 200
    aster.post("/v1/traces", pb_batch(pb_span(trace, 2)), PROTOBUF)
    counts = []
    for tenant in (aster, other):
        with tenant.rows():
            counts.append(Run.objects.get(trace_id=trace).span_count)
    assert counts == [2, 1]


def test_a_tenant_that_the_telemetry_names_is_not_believed(
    aster: Online, live_console: LiveConsole, django_db_blocker: DjangoDbBlocker
) -> None:
    """`resource-attribute-tenant.id-spoof`."""
    other, trace = Online(live_console, django_db_blocker, "Borealis Pharma"), new_trace()
    spoof = [{"key": key, "value": {"intValue": other.tenant.pk}} for key in ("tenant.id", "tenant_id", "andon.tenant")]
    body = json.loads(js_batch(js_span(trace, attributes=spoof)))
    body["resourceSpans"][0]["resource"] = {"attributes": spoof}
    headers = {"X_Tenant": other.tenant.slug, "X_Scope_OrgID": str(other.tenant.pk)}
    assert aster.post("/v1/traces", json.dumps(body).encode(), **headers).status == 200
    with aster.rows():
        assert Run.objects.filter(trace_id=trace).count() == 1
    with other.rows():
        assert (Run.objects.count(), Intake.objects.count()) == (0, 0)
