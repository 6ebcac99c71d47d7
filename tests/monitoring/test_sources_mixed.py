"""Traces that mix all dialects: what is concluded follows from what spans say, never from order, repeats or memory."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from monitoring.facts import Mapped, Rank
from monitoring.mapping import VerdictCache, map_decoded
from monitoring.records import Decoded, SpanEvent, SpanKind, SpanRecord, Value
from monitoring.rules import Catalogue, KeyRule, Rule
from monitoring.sources import keys, message, registry
from monitoring.sources.by_names import ByNames
from monitoring.sources.registry import SPAN_DIALECTS, traced
from tests.monitoring.samples import NOW, key, span

NAMES = (
    "messaging.system", "messaging.operation.name", "messaging.operation", "messaging.destination.name",
    "messaging.source.name", "messaging.message.id", "messaging.servicebus.disposition_status",
    "messaging.servicebus.message.delivery_count", "messaging.rabbitmq.requeue", "messaging.header.x-death",
    "messaging.header.kafka_dlt-original-topic", "messaging.header.kafka_dlt-original-offset",
    "celery.task_name", "celery.action", "celery.state", "celery.retries", "n8n.workflow.id", "n8n.execution.id",
    "n8n.execution.status", "camunda.job.key", "camunda.job.retries", "zeebe.bpmnProcessId",
    "camunda.incident.error_type", "andon.workflow", "andon.attempt", "andon.max_attempts", "andon.phase",
    "andon.unit_id", "andon.site", "andon.key.pallet", "http.request.resend_count", "http.route", "error.type",
    "order.id", "order_id", "lot", "lot_ids", "app.field",
)  # fmt: skip
WORDS = (
    "process", "send", "receive", "nack", "reject", "ack", "orders", "orders.dlq", "error", "rabbitmq", "servicebus",
    "run", "SUCCESS", "RETRY", "FAILURE", "success", "dead", "4711", " 4711 ", "m-1", "", "JOB_NO_RETRIES",
    '[{"count":3,"reason":"rejected","queue":"orders"}]',
)  # fmt: skip
OTHER_VALUES: tuple[Value, ...] = (0, 1, 3, True, 1.0, None, b"m-1", ["4711", "4712"])
VALUES: SearchStrategy[Value] = st.one_of(st.sampled_from(WORDS), st.sampled_from(OTHER_VALUES))
ATTRIBUTES: SearchStrategy[dict[str, Value]] = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)
NOTES = st.sampled_from(["exception", "dead_letter", "incident"]).map(
    lambda name: SpanEvent(name, 1, {"exception.type": "Late", "incident.error_type": "IO"})
)
RULES = (
    Rule(1, 1, "orders", 'span["http.route"] == "orders"', 3, keys=(KeyRule("order", "lot"), KeyRule("lot", "lot"))),
    Rule(2, 2, "rest", 'span["andon.attempt"] == 1 || resource["order.id"] == "4711"', 4),
)
CATALOGUE = Catalogue(tenant_id=1, version=1, rules=RULES)


@st.composite
def traces(draw: st.DrawFn) -> list[SpanRecord]:
    """Up to six spans, each below another, below a stranger, or a root; some start at the same time."""
    count = draw(st.integers(1, 6))
    resources: list[dict[str, Value]] = [{"service.name": "erp"}, {"service.name": "mes", **draw(ATTRIBUTES)}]
    return [
        span(
            number,
            draw(ATTRIBUTES),
            parent=draw(st.sampled_from([None, 1, 1, 2, 99])),
            kind=draw(st.sampled_from(SpanKind)),
            name=draw(st.sampled_from(["step", "step", "ServiceBusReceiver.DeadLetter"])),
            failed=draw(st.booleans()),
            at_ms=draw(st.sampled_from([0, 10, 10, 20 * number])),
            resource=draw(st.sampled_from(resources)),
            events=draw(st.lists(NOTES, max_size=1)),
        )
        for number in range(1, count + 1)
    ]


def read(spans: list[SpanRecord]) -> Mapped:
    return map_decoded(Decoded(spans=tuple(spans)), CATALOGUE, NOW, VerdictCache())


def forget() -> None:
    """Drop what the dialects remember of names and words."""
    for memory in (registry._SHAPES, keys._key_names, message._carried, message._known):
        memory.clear()


@settings(max_examples=150)
@given(traces(), st.randoms(use_true_random=False))
def test_it_concludes_the_same_whatever_the_order(spans: list[SpanRecord], chance: random.Random) -> None:
    shuffled = [one._replace(attributes=dict(chance.sample(list(one.attributes.items()), len(one.attributes))))
                for one in chance.sample(spans, len(spans))]  # fmt: skip

    assert read(shuffled) == read(spans)


@given(traces())
def test_it_concludes_the_same_of_spans_that_are_told_twice(spans: list[SpanRecord]) -> None:
    assert read([*spans, *spans]) == read(spans)


@settings(max_examples=150)
@given(st.lists(traces(), min_size=2, max_size=4))
def test_it_concludes_the_same_whatever_it_remembers(told: list[list[SpanRecord]]) -> None:
    remembering = [read(spans) for spans in told]
    for spans, found in zip(told, remembering, strict=True):
        forget()
        assert read(spans) == found


@given(traces())
def test_it_shows_a_dialect_exactly_the_spans_that_it_may_speak_of(spans: list[SpanRecord]) -> None:
    trace = traced(spans)

    for dialect in SPAN_DIALECTS:
        wanted = [one for one in trace.spans if dialect.speaks(tuple(one.attributes))]
        assert trace.spoken_of.get(dialect, []) == wanted
        of_resource = any(dialect.speaks(tuple(one.resource)) for one in spans)
        assert (dialect in trace.spoken_of) == bool(wanted or of_resource)


@given(traces())
def test_it_sees_in_one_pass_what_the_spans_say(spans: list[SpanRecord]) -> None:
    trace, ids = traced(spans), {one.span_id for one in spans}
    orphans = [one for one in spans if one.parent_span_id not in ids]

    assert (trace.start_ns, trace.last_ns) == (
        min(one.start_ns for one in spans), max(one.end_ns for one in spans),
    )  # fmt: skip
    assert {one.span_id for one in trace.failed} == {one.span_id for one in spans if one.status.name == "ERROR"}
    assert {one.span_id for one in trace.noted} == {one.span_id for one in spans if one.events}
    assert trace.services == tuple(sorted({str(one.resource["service.name"]) for one in spans}))
    assert (trace.rank is Rank.ROOT) == any(one.parent_span_id is None for one in orphans)
    assert not orphans or trace.entry in orphans


def test_it_takes_no_other_value_for_a_text_that_it_knows() -> None:
    def destination(value: Value) -> str:
        said: dict[str, Value] = {"messaging.system": "rabbitmq", "messaging.destination.name": value}
        return message.words_of(span(1, said)).destination

    values: list[Value] = ["1", 1, True, 1.0, b"1", ["1"]]

    assert [destination(value) for value in values] == ["1", "1", "", "1", "1", "1"]
    assert [destination(value) for value in reversed(values)] == ["1", "1", "1", "", "1", "1"]


def test_it_remembers_a_bounded_number_of_names_and_none_too_long() -> None:
    found = ByNames(len)
    for number in range(5_000):
        assert found[f"name.{number}", "other"] == 2

    assert 0 < len(found) <= 4_096
    assert found["x" * 5_000,] == 1
    assert ("x" * 5_000,) not in found


def test_it_adds_a_rules_key_of_another_type_than_the_dialects_read_a_name_as() -> None:
    root = span(1, {"http.route": "orders", "lot": "L-1"})

    assert read([root]).runs[0].keys == (key("lot", "L-1"), key("order", "L-1"))
