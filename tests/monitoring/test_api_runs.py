"""runs/ and events/: shapes, filters, pages, and spans read back out of the intake log."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from typing import Any

import pytest
import zstandard

from tests import rows
from tests.cast import Member

_TRACE = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
_RUN = {
    *("id", "trace_id", "workflow", "process", "owner", "site", "status", "started_at", "ended_at", "duration_ms"),
    *("sla", "keys", "span_count", "error_count", "attempts", "retries", "dead_letters", "confidence", "source"),
}


def _otlp(*spans: dict[str, Any]) -> bytes:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "erp"}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]}).encode()


def _span(number: int, start: int, trace: bytes = _TRACE) -> dict[str, Any]:
    return {
        "traceId": trace.hex(),
        "spanId": number.to_bytes(8, "big").hex(),
        "name": f"step {number}",
        "kind": 1,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 5_000_000),
        "attributes": [{"key": "erp.order", "value": {"stringValue": "4711"}}],
        "status": {"code": 2, "message": "secret cause"},
    }


def test_a_run_has_the_shape_that_is_promised(owner: Member) -> None:
    with owner.scope():
        site = rows.make_site(slug="ulm", name="Ulm")
        process = rows.make_process(slug="order-release", name="Order release", owner=owner.user, site=site)
        run = rows.make_run(rows.make_workflow(process, name="Release"), key="order:4711", started_at=rows.MORNING)
    body = owner.get(f"runs/{run.pk}/").json()
    assert body.keys() >= _RUN
    assert body["owner"] == {"id": owner.user.pk, "name": "owner@aster.example", "email": "owner@aster.example"}
    assert body["site"] == {"id": site.pk, "slug": "ulm", "name": "Ulm"}
    assert body["process"] == {"id": process.pk, "slug": "order-release", "name": "Order release"}
    assert body["keys"] == [{"type": "order", "value": "4711"}]
    assert (body["started_at"], body["ended_at"]) == ("2026-11-21T08:00:00Z", "2026-11-21T08:00:03Z")
    assert (body["duration_ms"], body["source"], body["status"]) == (3000.0, "n8n", "ok")
    assert body["url"] == f"http://127.0.0.1:8000/t/aster-foods/runs/{run.pk}/"


def test_a_run_that_has_not_ended_has_no_end(owner: Member) -> None:
    with owner.scope():
        run = rows.make_run(status="running")
    body = owner.get(f"runs/{run.pk}/").json()
    assert (body["ended_at"], body["duration_ms"]) == (None, None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"key": "order:4711"}, ["first"]),
        ({"key": "4711"}, ["first", "second"]),
        ({"key": "batch:4711"}, ["second"]),
        ({"key": "urn:batch:7"}, ["third"]),
        ({"key": "order:4712"}, []),
        ({"status": "error"}, ["second"]),
        ({"workflow": "Release"}, ["first", "second", "third"]),
        ({"workflow": "no such"}, []),
        ({"process": "order-release"}, ["first", "second", "third"]),
        ({"since": "2026-11-21T10:00:01+01:00"}, ["third"]),
        ({"since": "2026-11-21T10:00:01 01:00"}, ["third"]),
        ({"until": "2026-11-21T08:30:00Z"}, ["first"]),
        ({"since": "2026-11-21T08:00:00Z", "until": "2026-11-21T09:00:00Z"}, ["first"]),
        ({"status": ""}, ["first", "second", "third"]),
    ],
)
def test_runs_are_filtered(owner: Member, query: dict[str, str], found: list[str]) -> None:
    with owner.scope():
        workflow = rows.make_workflow(rows.make_process(slug="order-release"), name="Release")
        for hours, name, key in (
            (0, "first", "order:4711"),
            (1, "second", "batch:4711"),
            (2, "third", "x:urn:batch:7"),
        ):
            started_at = rows.MORNING + timedelta(hours=hours)
            status = "error" if name == "second" else "ok"
            rows.make_run(workflow, key=key, root_name=name, started_at=started_at, status=status)
    answer = owner.get("runs/", **query)
    assert sorted(row["name"] for row in answer.json()["results"]) == sorted(found)


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        ("runs/", {"since": "yesterday"}, "since"),
        ("runs/", {"since": "2026-11-21"}, "since"),
        ("runs/", {"since": "2026-11-21T08:00:00"}, "since"),
        ("runs/", {"until": "2026-13-41T08:00:00Z"}, "until"),
        ("runs/", {"status": "green"}, "status"),
        ("runs/", {"trace_id": "xyz"}, "trace_id"),
        ("runs/", {"colour": "green"}, "colour"),
        ("runs/", {"key": "a\x00b"}, "key"),
        ("runs/", {"workflow": "w" * 301}, "workflow"),
        ("runs/", {"cursor": "nonsense"}, "cursor"),
        ("runs/", {"cursor": "WzAsW11d"}, "cursor"),
        ("runs/", {"page_size": "0"}, "page_size"),
        ("runs/", {"page_size": "201"}, "page_size"),
        ("runs/", {"page_size": "²"}, "page_size"),
        ("alerts/", {"kind": "dead_letter,nonsense"}, "kind"),
        ("alerts/", {"status": "open"}, "status"),
        ("dead-letters/", {"state": "gone"}, "state"),
        ("events/", {"since": "1"}, "since"),
        ("usage/", {"day": "today"}, "day"),
        ("audit/", {"since": "now"}, "since"),
        ("processes/", {"slug": "x"}, "slug"),
    ],
)
def test_a_parameter_that_cant_be_read_is_named(owner: Member, path: str, query: dict[str, str], named: str) -> None:
    answer = owner.get(path, **query)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert [error["parameter"] for error in answer.json()["errors"]] == [named]
    assert answer.json()["detail"].startswith(f"{named}: ")


def test_a_parameter_given_twice_is_refused(owner: Member) -> None:
    answer = owner.get("runs/?status=ok&status=error")
    assert answer.json()["errors"][0]["parameter"] == "status"


def test_pages_lead_through_all_rows_and_back(owner: Member) -> None:
    with owner.scope():
        workflow = rows.make_workflow()
        # Ties in time are where a page that counts offsets goes wrong.
        made = [rows.make_run(workflow, started_at=rows.MORNING).pk for _ in range(7)]
    newest_first = sorted(made, reverse=True)
    page = owner.get("runs/", page_size="3").json()
    seen, pages = [row["id"] for row in page["results"]], [page]
    assert page["previous"] is None
    while page["next"]:
        page = owner.get(page["next"].removeprefix("http://testserver/api/v1/")).json()
        seen += [row["id"] for row in page["results"]]
        pages.append(page)
    assert seen == newest_first
    back = owner.get(pages[2]["previous"].removeprefix("http://testserver/api/v1/")).json()
    assert [row["id"] for row in back["results"]] == newest_first[3:6]
    first = owner.get(back["previous"].removeprefix("http://testserver/api/v1/")).json()
    assert [row["id"] for row in first["results"]] == newest_first[:3]
    assert first["previous"] is None


def test_a_row_that_arrives_meanwhile_moves_no_page(owner: Member) -> None:
    with owner.scope():
        made = [rows.make_run(started_at=rows.MORNING + timedelta(minutes=n)).pk for n in range(4)]
    first = owner.get("runs/", page_size="2").json()
    with owner.scope():
        rows.make_run(started_at=rows.MORNING + timedelta(hours=1))
    second = owner.get(first["next"].removeprefix("http://testserver/api/v1/")).json()
    assert [row["id"] for row in second["results"]] == [made[1], made[0]]


def test_spans_are_read_back_each_once_by_their_start(owner: Member) -> None:
    first, second = (
        _otlp(_span(2, 2_000_000_000), _span(1, 1_000_000_000)),
        _otlp(_span(1, 1_000_000_000), _span(3, 500_000_000)),
    )
    foreign = _otlp(_span(9, 5, trace=b"x" * 16))
    with owner.scope():
        intakes = [
            rows.make_intake(gzip.compress(first), compression="gzip", size=len(first)),
            rows.make_intake(zstandard.compress(second), compression="zstd", size=len(second)),
            rows.make_intake(foreign),
        ]
        run = rows.make_run(trace_id=_TRACE, intakes=[intake.pk for intake in intakes])
    spans = owner.get(f"runs/{run.pk}/spans/").json()["results"]
    assert [span["name"] for span in spans] == ["step 3", "step 1", "step 2"]
    assert spans[1]["attributes"] == {"erp.order": "4711"}
    assert spans[1]["started_at"] == "1970-01-01T00:00:01Z"
    assert (spans[1]["start_unix_nano"], spans[1]["duration_ms"]) == ("1000000000", 5.0)
    assert (spans[1]["service"], spans[1]["status"], spans[1]["kind"]) == ("erp", "error", "internal")


def test_without_the_right_to_payloads_spans_have_no_attributes(owner: Member, observer: Member) -> None:
    with owner.scope():
        intake = rows.make_intake(_otlp(_span(1, 1)))
        run = rows.make_run(trace_id=_TRACE, intakes=[intake.pk])
    (span,) = observer.get(f"runs/{run.pk}/spans/").json()["results"]
    assert (span["name"], span["service"]) == ("step 1", "erp")
    assert (span["attributes"], span["status_message"], span["resource"]) == ({}, "", {"service.name": "erp"})


def test_an_event_shows_its_data_to_who_may_see_payloads(owner: Member, observer: Member) -> None:
    with owner.scope():
        event = rows.make_event()
    assert owner.get(f"events/{event.pk}/").json()["data"] == {"order": 4711}
    assert observer.get(f"events/{event.pk}/").json()["data"] is None
    assert "data" not in owner.get("events/").json()["results"][0]


@pytest.mark.parametrize("path", ["runs/0/", "runs/99999999999999999999/", "runs/x/", "runs/-1/", "nothing/", ""])
def test_what_does_not_exist_has_one_answer(owner: Member, path: str) -> None:
    answer = owner.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "code": "not_found",
        "detail": "There is no such object, or it is not yours to see.",
    }


def test_a_method_that_is_not_there_is_a_problem_too(owner: Member) -> None:
    answer = owner.delete("runs/")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
