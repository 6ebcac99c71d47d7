"""Turns a plan into bytes. Large bodies are templates with the ids put in: the sender shares two cores with Andon."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.campaign.plans import DURATION_MS, SHAPES, Plan, trace_prefix

ITEM = "campaign.item"
_TEMPLATE = Plan(run=0xA1B2C3D4, sender=999, seq=9_999_999, tenant=0, kind="big", at_ns=0x1122334455667788)


@dataclass(frozen=True, slots=True)
class Wire:
    """A request ready to be sent; its headers lack the key and the length."""

    path: str
    headers: Mapping[str, str]
    body: bytes


def wire(plan: Plan) -> Wire:
    """Return the bytes of a plan: always the same for the same plan."""
    match plan.kind:
        case "structured":
            return Wire("/v1/events", {"content-type": "application/cloudevents+json"}, orjson.dumps(_event(plan, 0)))
        case "batch":
            events = [_event(plan, number) for number in range(plan.items)]
            return Wire("/v1/events", {"content-type": "application/cloudevents-batch+json"}, orjson.dumps(events))
        case "binary":
            return _binary(plan)
        case "json":
            return Wire("/v1/traces", {"content-type": "application/json"}, _as_json(_request(plan)))
        case "big":
            return _packed(_filled(plan), level=1)
        case _:
            return _packed(_request(plan).SerializeToString(), level=1)


def _packed(body: bytes, level: int) -> Wire:
    headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
    return Wire("/v1/traces", headers, gzip.compress(body, level, mtime=0))


def _filled(plan: Plan) -> bytes:
    body = _template()
    for of_template, own in zip(_marks(_TEMPLATE), _marks(plan), strict=True):
        body = body.replace(of_template, own)
    return body


def _marks(plan: Plan) -> tuple[bytes, ...]:
    """What differs between two big requests, in byte strings of fixed lengths."""
    times = (plan.at_ns.to_bytes(8, "little"), (plan.at_ns - DURATION_MS * 1_000_000).to_bytes(8, "little"))
    return (plan.stamp.encode(), trace_prefix(plan.run, plan.sender, plan.seq), *times)


@functools.cache
def _template() -> bytes:
    body: bytes = _request(_TEMPLATE).SerializeToString()
    return body


def _request(plan: Plan) -> Any:
    made = ExportTraceServiceRequest()
    resource = made.resource_spans.add()
    _say(resource.resource, {"service.name": f"plant-{plan.sender % 4}", "host.name": "campaign"})
    scope = resource.scope_spans.add()
    spans, traces = SHAPES[plan.kind]
    for number in range(traces):
        for place in range(spans):
            _fill(scope.spans.add(), plan, number, place)
    return made


def _fill(span: Any, plan: Plan, number: int, place: int) -> None:
    spans, _ = SHAPES[plan.kind]
    is_root = place == 0 and plan.kind != "tail"
    span.trace_id, span.span_id = plan.trace_id(number), _span_number(plan, place).to_bytes(8, "big")
    span.parent_span_id = b"" if is_root else (1).to_bytes(8, "big")
    span.name, span.kind = ("order.release", 2) if is_root else (f"step {place}", 1)
    span.end_time_unix_nano = plan.at_ns
    span.start_time_unix_nano = plan.at_ns - DURATION_MS * 1_000_000
    said = {ITEM: f"{plan.stamp}:{number * spans + place:03d}", "order.id": f"o-{plan.seq}"}
    if is_root:
        said["andon.workflow"] = "halved line" if plan.kind in ("head", "again") else f"{plan.kind} line"
    _say(span, said)
    if plan.kind in ("retry", "dead") and place > 0:
        _try(span, plan, place)
    if plan.kind == "poison" and place == spans - 1:
        span.trace_id = bytes(16)


def _span_number(plan: Plan, place: int) -> int:
    """Its id within the trace: what is told again has the ids of the two halves."""
    halves = SHAPES["head"][0]
    if plan.kind == "tail":
        return halves + place + 1
    return place + 1


def _try(span: Any, plan: Plan, attempt: int) -> None:
    """The first try fails; the second goes well or was the last."""
    well = plan.kind == "retry" and attempt == 2
    phase = "retry_scheduled" if attempt == 1 else "ok" if well else "dead"
    _say(span, {"andon.unit_id": plan.stamp, "andon.phase": phase, "andon.destination": "orders"})
    span.attributes.add(key="andon.attempt").value.int_value = attempt
    if not well:
        span.status.code, span.status.message = 2, "the line did not answer"
        _say(span, {"error.type": plan.error_class})


def _say(holder: Any, texts: Mapping[str, str]) -> None:
    for key, text in texts.items():
        holder.attributes.add(key=key).value.string_value = text


def _event(plan: Plan, number: int) -> dict[str, object]:
    when = datetime.fromtimestamp(plan.at_ns // 1_000_000_000, UTC)
    return {
        "specversion": "1.0",
        "id": f"{plan.stamp}:{number:03d}",
        "source": f"/campaign/{plan.sender}",
        "type": "dev.andon.mfg.order.released.v1",
        "subject": f"order/o-{plan.seq}",
        "time": when.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {"quantity": number},
    }


def _binary(plan: Plan) -> Wire:
    event = _event(plan, 0)
    body = orjson.dumps(event.pop("data"))
    headers = {"content-type": str(event.pop("datacontenttype"))}
    headers |= {f"ce-{name}": str(value) for name, value in event.items()}
    return Wire("/v1/events", headers, body)


def _as_json(made: Any) -> bytes:
    group = made.resource_spans[0]
    spans = [_json_span(span) for span in group.scope_spans[0].spans]
    resource = {"attributes": _pairs(group.resource.attributes)}
    return orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})


def _json_span(span: Any) -> dict[str, object]:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex(),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": str(span.end_time_unix_nano),
        "attributes": _pairs(span.attributes),
        "status": {},
    }


def _pairs(found: Any) -> list[dict[str, object]]:
    return [{"key": pair.key, "value": {"stringValue": pair.value.string_value}} for pair in found]
