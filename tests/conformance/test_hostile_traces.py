"""Traces of hostile shape, and hostile numbers of names: taken, shown, and bounded in what they leave behind."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pytest_django import DjangoDbBlocker

from monitoring.models import Alert, Run, Workflow
from monitoring.project.workflows import MOST_WORKFLOWS, OTHERS_NAME
from partners.services import api_token_issue
from tests.conformance.bodies import PROTOBUF, new_trace, pb_batch, pb_span
from tests.conformance.corpus import MIB
from tests.conformance.meter import Meter
from tests.live import LiveConsole
from tests.monitoring.wire import wire
from tests.online import Online

DEEP = 100_000
#: Spans of one request.
_CHUNK = 20_000


class Reader:
    """Somebody of the tenant who looks at a run over REST and in the browser."""

    def __init__(self, online: Online) -> None:
        self.online = online
        person = online.person()
        with online.orm():
            _, token = api_token_issue(tenant_id=online.tenant.pk, label="tests", actor="system:tests", user=person)
        self._token = {"Authorization": f"Bearer {token.text}"}
        self._cookie = {"Cookie": online.session(person)}

    def spans(self, run: Run) -> list[dict[str, Any]]:
        answer = self.online.ask("GET", f"/api/v1/runs/{run.pk}/spans/", headers=self._token)
        assert answer.status == 200, answer.body[:500]
        found: list[dict[str, Any]] = json.loads(answer.body)["results"]
        return found

    def page(self, run: Run) -> str:
        answer = self.online.ask("GET", f"/t/{self.online.tenant.slug}/runs/{run.pk}/", headers=self._cookie)
        assert answer.status == 200, answer.body[:500]
        return answer.body.decode()


@pytest.fixture(scope="module")
def reader(aster: Online) -> Reader:
    return Reader(aster)


def run_of(of: Online, trace: bytes) -> Run:
    with of.rows():
        run: Run = Run.objects.get(trace_id=trace)
    return run


def taken(by: Online, body: bytes) -> None:
    """What an exporter does: the same request again while it is told to come back, which a slow machine may say."""
    begun = time.monotonic()
    while (answer := by.post("/v1/traces", body, PROTOBUF)).status == 503:
        assert time.monotonic() - begun < 60
        time.sleep(1)
    assert (answer.status, answer.body) == (200, b"")


def test_a_chain_of_100_000_spans_is_taken_and_shown(aster: Online, reader: Reader, meter: Meter) -> None:
    trace = new_trace()
    for start in range(1, DEEP + 1, _CHUNK):
        chain = (
            pb_span(trace, number, parent_span_id=(number - 1).to_bytes(8, "big") if number > 1 else b"")
            for number in range(start, start + _CHUNK)
        )
        taken(aster, pb_batch(*chain))
    run = run_of(aster, trace)
    assert run.span_count == DEEP
    with meter.running():
        page = reader.page(run)
    assert f"Waterfall of {DEEP} spans" in page
    assert len(page) < 8 * MIB  # It draws what failed and the top, and says how much it left out.
    assert meter.grown < 512 * MIB
    with meter.running():
        assert len(reader.spans(run)) == DEEP
    assert meter.grown < 512 * MIB


@pytest.mark.parametrize(
    ("name", "parents"),
    [
        ("self-parent", {1: 1}),
        ("cycle of two", {1: 2, 2: 1}),
        ("cycle below a root", {1: 0, 2: 4, 3: 2, 4: 3}),
        ("every span its own parent", {number: number for number in range(1, 200)}),
        ("one cycle of a thousand", {number: number % 1_000 + 1 for number in range(1, 1_001)}),
    ],
)
def test_a_loop_of_parents_is_taken_and_shown(
    aster: Online, reader: Reader, name: str, parents: dict[int, int]
) -> None:
    trace = new_trace()
    spans = [
        pb_span(trace, number, name=f"{name} {number}", parent_span_id=parent.to_bytes(8, "big") if parent else b"")
        for number, parent in parents.items()
    ]
    assert aster.post("/v1/traces", pb_batch(*spans), PROTOBUF).body == b""
    run = run_of(aster, trace)
    assert run.span_count == len(parents)
    assert {span["name"] for span in reader.spans(run)} == {span.name for span in spans}
    assert f"{name} 1" in reader.page(run)


def test_ten_thousand_service_names_make_a_bounded_number_of_automations(
    live_console: LiveConsole, django_db_blocker: DjangoDbBlocker, meter: Meter
) -> None:
    """`service-name-10k-distinct`: the first names each get a row; those beyond the bound share one, and say so."""
    borealis = Online(live_console, django_db_blocker, "Borealis Pharma")
    with meter.running():
        for start in range(0, 10_000, 1_000):
            request = ExportTraceServiceRequest()
            for number in range(start, start + 1_000):
                group = request.resource_spans.add()
                group.resource.attributes.add(key="service.name").value.string_value = f"pod-{number:05d}"
                group.scope_spans.add().spans.append(pb_span(new_trace()))
            taken(borealis, wire(request))
    with borealis.rows():
        assert Run.objects.count() == 10_000
        assert Workflow.objects.count() == MOST_WORKFLOWS + 1
        others = Workflow.objects.get(name=OTHERS_NAME)
        assert Run.objects.filter(workflow=others).count() == 10_000 - MOST_WORKFLOWS
        assert Alert.objects.count() <= MOST_WORKFLOWS + 1
    assert meter.grown < 128 * MIB
