"""CloudEvents: our vocabulary, its keys, and what it says about attempts; NATS advisories besides."""

from __future__ import annotations

import pytest

from monitoring.facts import Confidence, Phase, Rank
from monitoring.records import Value
from monitoring.sources.cloudevents import chain, entity_event
from monitoring.sources.registry import read_event
from tests.monitoring.samples import event, key, told


@pytest.mark.parametrize(
    ("event_type", "name"),
    [
        ("dev.andon.mfg.order.released.v1", "order.released"),
        ("com.acme.mfg.quality.hold_placed.v2", "quality.hold_placed"),
        ("mfg.order.released.v1", "order.released"),
        ("com.acme.order.released.v1", ""),
        ("com.acme.notmfg.order.released.v1", ""),
        ("com.mfg.acme.mfg.order.released.v1", "order.released"),
        ("com.acme.mfg.order.v1", ""),
    ],
)
def test_it_names_an_event_by_the_part_from_mfg_on(event_type: str, name: str) -> None:
    assert entity_event(event_type) == name


@pytest.mark.parametrize(
    ("event_type", "subject", "data", "keys"),
    [
        ("a.mfg.order.released.v1", "4711", {"order_id": "4711", "plant": "ulm"}, [key("order", "4711")]),
        ("a.mfg.order.released.v1", "order/4711", None, [key("order", "4711")]),
        ("a.mfg.quality.hold_placed.v1", "H-9", {"lot_ids": ["L-1", "L-2"]},
         [key("hold", "H-9"), key("lot", "L-1"), key("lot", "L-2")]),
        ("a.mfg.supplier.asn_received.v1", "ASN-5", {"po_ids": ["PO-1"]}, [key("asn", "ASN-5"), key("po", "PO-1")]),
        ("a.mfg.supplier.po_sent.v1", "PO-1", None, [key("po", "PO-1")]),
        ("a.mfg.service.case_opened.v1", "C-1", None, [key("case", "C-1")]),
        ("com.acme.something", "4711", {"order": {"id": 4711}}, [key("order", "4711")]),
        ("com.acme.something", "4711", {"reorder_id": "4711", "order_ids": ["", "  "]}, []),
    ],
)  # fmt: skip
def test_it_reads_the_business_keys(event_type: str, subject: str, data: Value, keys: list[object]) -> None:
    assert list(read_event(event(event_type, data, subject=subject)).keys) == keys


def test_it_bounds_and_strips_a_keys_value() -> None:
    (found,) = read_event(event("x", {"order_id": f"  {'9' * 200} "})).keys

    assert found.value == "9" * 128


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("message_dead_lettered", Phase.DEAD),
        ("message_replayed", Phase.REDRIVEN),
        ("message_discarded", Phase.DISCARDED),
    ],
)
def test_it_reads_what_became_of_a_message(name: str, phase: Phase) -> None:
    data: Value = {"queue": "erp.orders.dlq", "message_ref": "m-1", "reason": "rejected", "attempts": 5}
    (fact,) = read_event(event(f"dev.andon.mfg.integration.{name}.v1", data)).attempts

    assert told([fact]) == [("m-1", 5, phase.value)]
    assert (fact.destination, fact.error_class, fact.confidence) == ("erp.orders.dlq", "rejected", Confidence.DECLARED)


@pytest.mark.parametrize(
    ("name", "outcome", "phase"),
    [
        ("retried", "", "retry_scheduled"),
        ("retried", "failed", "error"),
        ("retried", "success", "ok"),
        ("run_failed", "failed", "dead"),
        ("run_completed", "", "ok"),
        ("step_completed", "failed", "error"),
    ],
)
def test_it_reads_how_a_workflow_ran(name: str, outcome: str, phase: str) -> None:
    data: Value = {"workflow_id": "release", "run_id": "r-1", "step": "post", "attempt": 2, "outcome": outcome}
    reading = read_event(event(f"dev.andon.mfg.workflow.{name}.v1", data))

    assert told(reading.attempts) == [("r-1/post", 2, phase)]
    assert reading.identity is not None
    assert (reading.identity.source_key, reading.identity.rank) == ("release", Rank.DECLARED)


def test_it_counts_the_events_of_one_source_about_one_entity_as_one_automation() -> None:
    names = [
        identity.source_key
        for kind in ("released", "completed")
        if (identity := read_event(event(f"a.mfg.order.{kind}.v1", source="/plants/ulm/mes")).identity)
    ]

    assert names == ["/plants/ulm/mes order", "/plants/ulm/mes order"]


def test_it_reads_due_time_value_and_site() -> None:
    data: Value = {"due_at": "2026-11-21T12:00:00+01:00", "value": {"amount": 1200.5, "currency": "EUR"}}
    reading = read_event(event("a.mfg.order.created.v1", data, extensions={"plant": "ulm"}))

    assert (reading.due_at and reading.due_at.isoformat(), reading.value, reading.site) == (
        "2026-11-21T11:00:00+00:00", 1200.5, "ulm",
    )  # fmt: skip


def test_it_reads_how_an_event_hangs_together_with_others() -> None:
    said: dict[str, Value] = {
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "correlationid": "c-1",
        "causationid": "e-0", "sequence": "00042", "bamtxid": "p-1", "bamptxsid": "release",
    }  # fmt: skip
    linked = chain(event("x", extensions=said))

    assert linked.trace_id == bytes.fromhex("4bf92f3577b34da6a3ce929d0e0e4736")
    assert (linked.correlation_id, linked.causation_id, linked.sequence) == ("c-1", "e-0", "00042")
    assert (linked.process_instance, linked.step) == ("p-1", "release")


@pytest.mark.parametrize("traceparent", ["", "nonsense", "00-" + "0" * 32 + "-00f067aa0ba902b7-01"])
def test_it_takes_no_broken_traceparent(traceparent: str) -> None:
    assert chain(event("x", extensions={"traceparent": traceparent})).trace_id is None


@pytest.mark.parametrize(("kind", "phase"), [("max_deliver", "dead"), ("terminated", "dead"), ("nak", "redelivered")])
@pytest.mark.parametrize("as_type", [True, False])
def test_it_reads_jetstream_advisories(kind: str, phase: str, as_type: bool) -> None:
    advisory = f"io.nats.jetstream.advisory.v1.{kind}"
    data: Value = {"type": advisory, "stream": "ORDERS", "consumer": "mes", "stream_seq": 42, "deliveries": 5}
    reading = read_event(event(advisory if as_type else "org.acme.nats", data))

    assert told(reading.attempts) == [("ORDERS:42", 5, phase)]
    assert reading.attempts[0].destination == "ORDERS/mes"
    assert reading.identity is not None
    assert reading.identity.source_system == "nats"


@pytest.mark.parametrize("data", [None, "text", b"\x00", [1, 2], {"order_id": None}, {"order_id": {"id": [[]]}}])
def test_it_survives_any_data(data: Value) -> None:
    assert read_event(event("a.mfg.order.released.v1", data)).keys == ()
