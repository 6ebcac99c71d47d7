"""The reference plant: it repeats, it keeps plant time, and its sources say what its faults promise."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

from console.plant.catalogue import entries_of
from console.plant.cloudevent import CloudEvent, Message, batch, binary, structured
from console.plant.drawing import Drawer
from console.plant.faults import EXPLAINED, FaultKind
from console.plant.flows import unowned
from console.plant.flows.registry import FLOWS
from console.plant.history import Rest, batches
from console.plant.outcome import HEALTHY, Outcome
from console.plant.plan import DENSE, Plan
from console.plant.plants import BY_SLUG, PLANTS, Plant
from monitoring.decode import decode
from monitoring.facts import AttemptFact, Mapped, Phase
from monitoring.mapping import VerdictCache, map_decoded
from monitoring.records import Encoding, Payload, Signal
from monitoring.rules import Catalogue, KeyRule, Rule

NOON = datetime(2026, 11, 18, 11, 0, tzinfo=UTC)
SEED = 7


def run_of(plant: str, flow: str, goes: Outcome = HEALTHY, number: int = 20) -> Plan:
    """One run at noon in Ulm."""
    return Plan(plant, flow, NOON, number, f"test/{plant}/{flow}/{number}", outcome=goes)


def drawn(
    plans: Iterable[Plan], *, cut: datetime = NOON + timedelta(days=30)
) -> tuple[list[ReadableSpan], list[CloudEvent]]:
    """All spans and events of the runs and of what follows from them."""
    spans: list[ReadableSpan] = []
    events: list[CloudEvent] = []
    for found in batches(list(plans), cut, Drawer(SEED), Rest()):
        spans += found.spans
        events += found.events
    return spans, events


def catalogue_of(plant: Plant) -> Catalogue:
    """The tenant's configuration file as mapping sees it."""
    entries = entries_of(plant.tenant_slug)
    processes = [entry.key[0] for entry in entries if entry.section == "processes"]
    rules = tuple(
        Rule(
            id=position,
            position=position,
            name=entry.key[0],
            condition=entry.fields["condition"],
            process_id=processes.index(entry.fields["process"]) + 1,
            keys=tuple(KeyRule(key["type"], key["expression"]) for key in entry.fields.get("keys", ())),
        )
        for position, entry in enumerate((entry for entry in entries if entry.section == "mapping_rules"), 1)
    )
    return Catalogue(tenant_id=1, version=1, rules=rules, sites=MappingProxyType({"ulm": 1, "wroclaw": 2}))


def read(plant: Plant, plans: Iterable[Plan]) -> Mapped:
    """What the console understands of these runs, in one request of spans and one of events."""
    spans, events = drawn(plans)
    catalogue, cache = catalogue_of(plant), VerdictCache()
    traces = encode_spans(spans).SerializeToString()
    runs = _mapped(Signal.TRACES, Encoding.PROTOBUF, Message({}, traces), catalogue, cache)
    told = _mapped(Signal.EVENTS, Encoding.CLOUDEVENT_BATCH, batch(events), catalogue, cache)
    return Mapped(runs=runs.runs, events=told.events, rejections=(*runs.rejections, *told.rejections))


def _mapped(signal: Signal, encoding: Encoding, message: Message, catalogue: Catalogue, cache: VerdictCache) -> Mapped:
    headers = {name.lower(): value for name, value in message.headers.items()}
    payload = Payload(signal, encoding, message.body, headers, NOON)
    return map_decoded(decode(payload), catalogue, NOON, cache)


def attempts(mapped: Mapped) -> list[AttemptFact]:
    """All attempts that runs and events tell of."""
    facts = [fact for run in mapped.runs for fact in run.attempts]
    return facts + [fact for event in mapped.events for fact in event.attempts]


def supporting(kind: FaultKind) -> list[tuple[str, str]]:
    """Every flow of every plant that knows the fault."""
    return [(plant.slug, flow) for plant in PLANTS for flow in plant.per_day if kind in FLOWS[flow].faults]


# Mapping -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.slug)
def test_every_configured_flow_is_matched_and_no_other(plant: Plant) -> None:
    for flow in plant.per_day:
        mapped = read(plant, [run_of(plant.slug, flow, number=number) for number in range(3)])
        wanted = flow not in unowned.NAMES
        assert mapped.runs
        assert {run.verdict.matched for run in mapped.runs} == {wanted}, flow
        assert all(event.verdict.matched for event in mapped.events), flow
        assert not mapped.rejections


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.slug)
def test_the_runs_and_events_of_a_flow_serve_one_process(plant: Plant) -> None:
    for flow in plant.per_day.keys() - unowned.NAMES:
        mapped = read(plant, [run_of(plant.slug, flow)])
        processes = {run.verdict.process_id for run in mapped.runs}
        assert processes | {event.verdict.process_id for event in mapped.events} == processes, flow
        assert len(processes) == 1, flow


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.slug)
def test_every_plant_has_an_automation_that_nobody_owns(plant: Plant) -> None:
    assert plant.per_day.keys() & unowned.NAMES


def test_the_order_ties_release_confirmation_and_inventory_together() -> None:
    plant = BY_SLUG["rockford"]
    keys = []
    for flow, number in (("order_release", 30), ("production_confirmation", 33), ("inventory_sync", 32)):
        mapped = read(plant, [Plan(plant.slug, flow, NOON, DENSE + number, f"case/{flow}")])
        keys.append({key.value for run in mapped.runs for key in run.keys if key.type == "order"})
    assert keys[0] == keys[1] == keys[2]
    assert len(keys[0]) == 1


# Faults --------------------------------------------------------------------------------------------------------------
def test_every_fault_is_explained_and_acted_out_somewhere() -> None:
    assert EXPLAINED.keys() == set(FaultKind)
    assert all(supporting(kind) for kind in FaultKind)


@pytest.mark.parametrize(("slug", "flow"), supporting(FaultKind.DEAD_LETTER))
def test_a_dead_letter_dies_once_after_its_tries(slug: str, flow: str) -> None:
    goes = Outcome(tries=3, dies=True)
    facts = attempts(read(BY_SLUG[slug], [run_of(slug, flow, goes)]))
    dead = {(fact.unit_id, fact.attempt) for fact in facts if fact.phase is Phase.DEAD}
    assert len(dead) == 1
    assert all(fact.error_class for fact in facts if fact.phase is Phase.DEAD)
    # n8n repeats nothing by itself, so a unit of its has one try.
    assert {attempt for _, attempt in dead} == ({1} if flow == "order_release_n8n" else {3})


@pytest.mark.parametrize(("slug", "flow"), supporting(FaultKind.DEAD_LETTER))
def test_a_healed_dead_letter_is_redriven_under_its_own_name(slug: str, flow: str) -> None:
    goes = Outcome(tries=3, dies=True, repaired_after_s=600.0)
    mapped = read(BY_SLUG[slug], [run_of(slug, flow, goes)])
    facts = attempts(mapped)
    dead = {fact.unit_id for fact in facts if fact.phase is Phase.DEAD}
    assert {fact.unit_id for fact in facts if fact.phase is Phase.REDRIVEN} == dead
    assert all(event.verdict.matched for event in mapped.events)


@pytest.mark.parametrize(("slug", "flow"), supporting(FaultKind.RETRY_STORM))
def test_a_storm_retries_each_unit_and_ends_well(slug: str, flow: str) -> None:
    facts = attempts(read(BY_SLUG[slug], [run_of(slug, flow, Outcome(tries=3), number) for number in range(10)]))
    retried = {fact.unit_id for fact in facts if fact.attempt > 1}
    assert len(retried) == 10
    assert not [fact for fact in facts if fact.phase is Phase.DEAD]
    assert {fact.unit_id for fact in facts if fact.attempt > 1 and fact.phase is Phase.OK} == retried


@pytest.mark.parametrize(("slug", "flow"), supporting(FaultKind.API_TIMEOUT))
def test_a_timeout_takes_the_callers_patience(slug: str, flow: str) -> None:
    mapped = read(BY_SLUG[slug], [run_of(slug, flow, Outcome(tries=2, times_out=True))])
    assert any(run.ended_at - run.started_at >= timedelta(seconds=30) for run in mapped.runs)
    assert any(run.error_count for run in mapped.runs)


@pytest.mark.parametrize(("slug", "flow"), supporting(FaultKind.DUPLICATE_RECEIPT))
def test_a_duplicate_receipt_is_one_key_in_two_events(slug: str, flow: str) -> None:
    _, events = drawn([run_of(slug, flow, Outcome(receipts=2))])
    booked = [event for event in events if "idempotency_key" in event.data]
    assert len(booked) == len({event.id for event in booked}) == 2
    assert len({event.data["idempotency_key"] for event in booked}) == 1


@pytest.mark.parametrize(("slug", "flow"), supporting(FaultKind.STUCK_RUN))
def test_a_stuck_run_has_steps_and_a_process_but_no_root(slug: str, flow: str) -> None:
    plan = run_of(slug, flow, Outcome(loses_root=True))
    stuck = read(BY_SLUG[slug], [plan]).runs[0]
    healthy = read(BY_SLUG[slug], [run_of(slug, flow)]).runs[0]
    assert not stuck.root_seen
    assert stuck.span_count > 0
    assert stuck.verdict.matched
    assert stuck.identity.source_key == healthy.identity.source_key


@pytest.mark.parametrize(("slug", "flow"), supporting(FaultKind.SLOW_STEP))
def test_a_slow_step_makes_a_slow_run(slug: str, flow: str) -> None:
    def seconds(goes: Outcome) -> float:
        run = read(BY_SLUG[slug], [run_of(slug, flow, goes)]).runs[0]
        return (run.ended_at - run.started_at).total_seconds()

    assert seconds(Outcome(slowdown=12.0)) > 2.5 * seconds(HEALTHY)


# Wire ------------------------------------------------------------------------------------------------------
def test_all_three_modes_say_the_same() -> None:
    event = CloudEvent(
        "1", "https://ulm.example/mes", "x.mfg.order.released.v1", NOON.isoformat(), "4711 ü", {"order_id": "4711"}
    )
    catalogue, cache = catalogue_of(BY_SLUG["ulm"]), VerdictCache()
    modes = (
        (Encoding.CLOUDEVENT_BATCH, batch([event])),
        (Encoding.CLOUDEVENT_STRUCTURED, structured(event)),
        (Encoding.CLOUDEVENT_BINARY, binary(event)),
    )
    read_back = [_mapped(Signal.EVENTS, mode, message, catalogue, cache).events[0] for mode, message in modes]
    assert {fact.record.subject for fact in read_back} == {"4711 ü"}
    assert {fact.entity_event for fact in read_back} == {"order.released"}
    assert len({str(fact.record.data) for fact in read_back}) == 1
