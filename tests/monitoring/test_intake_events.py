"""CloudEvents over HTTP, against a running console: three modes, one handshake."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from monitoring.models import Event
from tests.live import LiveConsole
from tests.monitoring.line import event
from tests.online import JSON, Answered, Online

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"


@pytest.fixture(scope="module")
def aster(live_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(live_console, django_db_blocker, "Aster Foods")


def send(to: Online, body: object, content_type: str, **headers: str) -> Answered:
    return to.post("/v1/events", json.dumps(body).encode(), content_type, **headers)


def stored(of: Online, *ids: str) -> list[tuple[str, str, str]]:
    with of.rows():
        found = Event.objects.filter(event_id__in=ids).order_by("event_id")
        return list(found.values_list("event_id", "entity_event", "subject"))


def test_it_takes_a_structured_event(aster: Online) -> None:
    answer = send(aster, {**event("order.released"), "id": "s-1"}, STRUCTURED)
    assert (answer.status, answer.headers["content-type"]) == (200, JSON)
    assert json.loads(answer.body) == {"accepted": 1, "rejected": [], "rejected_count": 0}
    assert stored(aster, "s-1") == [("s-1", "order.released", "4711")]


@pytest.mark.parametrize(
    ("number", "subject", "read"),
    [
        (1, "4711", "4711"),
        (2, "Pr%C3%BCfauftrag%204711%20%25", "Prüfauftrag 4711 %"),
        (3, "Auftrag 100 %", "Auftrag 100 %"),
    ],
)
def test_it_takes_a_binary_event_as_both_kinds_of_sdk_write_it(
    aster: Online, number: int, subject: str, read: str
) -> None:
    given = event("order.released")
    headers = {f"ce_{name}": given[name] for name in ("specversion", "source", "type", "time")}
    answer = send(aster, {"order_id": "4711"}, JSON, ce_id=f"b-{number}", ce_subject=subject, **headers)
    assert answer.status == 200
    assert stored(aster, f"b-{number}") == [(f"b-{number}", "order.released", read)]


def test_it_takes_the_good_ones_of_a_batch_and_names_the_bad_one(aster: Online) -> None:
    good = [{**event("order.released"), "id": f"g-{number}"} for number in range(2)]
    bad = {name: value for name, value in {**event("order.held"), "id": "bad"}.items() if name != "source"}
    answer = send(aster, [good[0], bad, good[1]], BATCH)
    assert (answer.status, json.loads(answer.body)) == (
        200,
        {
            "accepted": 2,
            "rejected": [{"index": 1, "id": "bad", "reason": "the required attribute source is missing"}],
            "rejected_count": 1,
        },
    )
    assert [row[0] for row in stored(aster, "g-0", "g-1", "bad")] == ["g-0", "g-1"]


def test_it_takes_an_empty_batch(aster: Online) -> None:
    assert send(aster, [], BATCH).status == 200


def test_it_knows_a_repeated_event_by_source_and_id(aster: Online) -> None:
    given = {**event("order.released"), "id": "twice"}
    for changes in ({}, {"subject": "other"}, {"source": "/another/source"}):
        assert send(aster, {**given, **changes}, STRUCTURED).status == 200
    assert [row[2] for row in stored(aster, "twice")] == ["4711", "4711"]


_BAD: dict[str, dict[str, Any]] = {
    "no id": {"id": None},
    "empty id": {"id": ""},
    "no source": {"source": None},
    "no type": {"type": None},
    "old specversion": {"specversion": "0.3"},
    "extension in upper case": {"Upper": "x"},
    "extension that is an object": {"deep": {"a": 1}},
    "time that is none": {"time": "yesterday"},
    "two kinds of data": {"data": 1, "data_base64": "AA=="},
}


@pytest.mark.parametrize("name", _BAD)
def test_it_answers_400_to_an_event_with(aster: Online, name: str) -> None:
    given = {key: value for key, value in {**event("order.released"), **_BAD[name]}.items() if value is not None}
    answer = send(aster, given, STRUCTURED)
    assert (answer.status, answer.headers["content-type"], json.loads(answer.body)["code"]) == (400, JSON, 3)


@pytest.mark.parametrize("header", [{"ce_subject": "%C0%A0"}, {"ce_datacontenttype": "application/json"}])
def test_it_answers_400_to_headers_that_the_binding_forbids(aster: Online, header: dict[str, str]) -> None:
    given = event("order.released")
    headers = {f"ce_{name}": given[name] for name in ("id", "specversion", "source", "type")}
    assert send(aster, {}, JSON, **headers, **header).status == 400


@pytest.mark.parametrize("content_type", ["application/cloudevents+xml", "application/cloudevents-batch+avro"])
def test_it_answers_415_to_other_event_formats(aster: Online, content_type: str) -> None:
    assert send(aster, {}, content_type).status == 415


def test_it_answers_401_in_json(aster: Online) -> None:
    answer = aster.post("/v1/events", b"{}", STRUCTURED, key="nonsense")
    assert (answer.status, json.loads(answer.body)["code"]) == (401, 16)


def test_it_says_in_the_handshake_that_an_origin_may_deliver(aster: Online) -> None:
    answer = aster.ask("OPTIONS", "/v1/events", None, {"WebHook-Request-Origin": "eventemitter.example.com"})
    assert answer.status == 200
    assert answer.headers["webhook-allowed-origin"] == "eventemitter.example.com"
    assert (answer.headers["webhook-allowed-rate"], answer.headers["allow"]) == ("*", "POST")


def test_it_allows_nothing_where_nobody_asks(aster: Online) -> None:
    answer = aster.ask("OPTIONS", "/v1/events")
    assert (answer.status, "webhook-allowed-origin" in answer.headers) == (204, False)


def test_it_ignores_a_tenant_that_the_event_names(
    aster: Online, live_console: LiveConsole, django_db_blocker: DjangoDbBlocker
) -> None:
    other = Online(live_console, django_db_blocker, "Borealis Pharma")
    spoof = {**event("order.released", tenant=other.tenant.slug), "id": "spoof", "tenantid": str(other.tenant.pk)}
    assert send(aster, spoof, STRUCTURED).status == 200
    assert (len(stored(aster, "spoof")), stored(other, "spoof")) == (1, [])
