"""Hostile inputs by size and structure, each sent alone to a running console."""

from __future__ import annotations

import json

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from monitoring.models import Intake
from tests.conformance.corpus import MIB, SIZES, body_of
from tests.conformance.meter import Meter
from tests.online import JSON, Answered, Online


def told(answer: Answered) -> tuple[int, str]:
    """How many items the answer says were rejected, and its message."""
    in_json = answer.headers["content-type"] == JSON
    if answer.status != 200:
        said = json.loads(answer.body)["message"] if in_json else Status.FromString(answer.body).message
        return 0, said
    if in_json:
        partial = json.loads(answer.body).get("partialSuccess", {})
        return int(partial.get("rejectedSpans", 0)), partial.get("errorMessage", "")
    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    return partial.rejected_spans, partial.error_message


@pytest.mark.parametrize("name", SIZES)
def test_it_answers_at_little_cost(aster: Online, meter: Meter, name: str) -> None:
    given, body = SIZES[name], body_of(name)
    # Nor does it count that the process for large bodies starts.
    for first in (b"{}", bytes(5 * MIB)):
        aster.post("/v1/traces", first)
    with meter.running():
        answer = aster.post(given.path, body, given.content_type, **given.extra())
    rejected, message = told(answer)
    assert (answer.status, rejected) == (given.status, given.rejected)
    assert given.words in message
    assert meter.grown <= given.mib * MIB
    # How much processor time it may cost is for `python -m bench hostile`, on a machine that does nothing else.
    with aster.rows():
        last = Intake.objects.order_by("-received_at").first()
        assert last is not None
        if given.stored or given.rejected:
            assert (last.items, last.rejected) == (given.stored, given.rejected)
