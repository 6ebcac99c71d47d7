"""The reference plant: it repeats, it keeps plant time, and its sources say what its faults promise."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

from console.plant import progress, traffic
from console.plant.catalogue import entries_of
from console.plant.cloudevent import CloudEvent, Message, batch, binary, structured
from console.plant.drawing import Drawer
from console.plant.faults import EXPLAINED, FaultKind, outcome
from console.plant.flows import unowned
from console.plant.flows.registry import FLOWS
from console.plant.history import Batch, Rest, batches
from console.plant.opening import scene
from console.plant.outcome import HEALTHY, Outcome
from console.plant.plan import DENSE, Plan, dumped, loaded
from console.plant.plants import BY_SLUG, PLANTS, Plant
from console.plant.randomness import stream
from console.plant.shifts import Shifts, activity, hours
from console.plant.state import Block, State, load, save
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


# Repetition ----------------------------------------------------------------------------------------------------------
def _fingerprint(seed: int) -> list[tuple[object, ...]]:
    plans = traffic.usual(PLANTS, NOON - timedelta(hours=3), NOON, seed)
    drawer = Drawer(seed)
    found: list[tuple[object, ...]] = []
    for plan in plans:
        run = drawer.draw(plan)
        found += [
            (
                span.name,
                span.context.trace_id,
                span.context.span_id,
                span.start_time,
                span.end_time,
                dict(span.attributes or {}),
            )
            for _, span in run.spans
        ]
        found += [(event.id, event.type, event.time, dict(event.data)) for _, event in run.events]
    return found


def test_it_repeats_every_span_and_event_with_the_same_seed() -> None:
    assert _fingerprint(SEED) == _fingerprint(SEED)
    assert len(_fingerprint(SEED)) > 500


def test_it_differs_with_another_seed() -> None:
    ours, others = ({line[1] for line in _fingerprint(seed) if isinstance(line[1], int)} for seed in (SEED, SEED + 1))
    assert ours
    assert not ours & others


@pytest.mark.parametrize("schedule", [traffic.usual, traffic.dense])
def test_it_plans_the_same_runs_in_whatever_pieces_it_is_asked(schedule: object) -> None:
    assert callable(schedule)
    since, middle, until = NOON - timedelta(hours=2), NOON - timedelta(minutes=31), NOON
    pieces = schedule(PLANTS, since, middle, SEED) + schedule(PLANTS, middle, until, SEED)
    whole = schedule(PLANTS, since, until, SEED)
    assert pieces == whole
    assert len({plan.token for plan in whole}) == len(whole)


def test_it_puts_the_same_runs_into_the_same_batches() -> None:
    plans = traffic.usual(PLANTS, NOON - timedelta(hours=6), NOON, SEED)

    def shapes() -> list[tuple[str, int, int]]:
        return [_shape(found) for found in batches(plans, NOON, Drawer(SEED), Rest())]

    assert shapes() == shapes()


def _shape(found: Batch) -> tuple[str, int, int]:
    return found.tenant, len(found.spans), hash(tuple(event.id for event in found.events))


def test_it_keeps_a_trace_in_one_batch() -> None:
    plans = traffic.dense(PLANTS, NOON - timedelta(minutes=20), NOON, SEED)
    homes: dict[int, set[int]] = {}
    for number, found in enumerate(batches(plans, NOON, Drawer(SEED), Rest())):
        for span in found.spans:
            homes.setdefault(span.context.trace_id, set()).add(number)
    assert homes
    assert all(len(home) == 1 for home in homes.values())


# Plant time ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("day", "zone", "count"),
    [
        (date(2026, 3, 29), "Europe/Berlin", 23),
        (date(2026, 10, 25), "Europe/Berlin", 25),
        (date(2026, 3, 8), "America/Chicago", 23),
        (date(2026, 11, 1), "America/Chicago", 25),
        (date(2026, 3, 29), "Asia/Singapore", 24),
    ],
)
def test_a_day_has_the_hours_that_its_clock_shows(day: date, zone: str, count: int) -> None:
    found = list(hours(day, ZoneInfo(zone)))
    assert len(found) == count
    assert all(later - earlier == timedelta(hours=1) for earlier, later in pairwise(found))
    assert {at.astimezone(ZoneInfo(zone)).date() for at in found} == {day}


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-11-18T05:59", 0.3),
        ("2026-11-18T06:00", 1.0),
        ("2026-11-18T14:00", 0.8),
        ("2026-11-18T22:00", 0.3),
        ("2026-11-21T03:00", 0.3),  # the night that began on Friday
        ("2026-11-21T06:00", 0.4),
        ("2026-11-22T14:00", 0.08 * 0.8),
        ("2026-11-23T05:59", 0.08 * 0.3),
    ],
)
def test_activity_follows_the_shift(local: str, expected: float) -> None:
    assert activity(Shifts(), datetime.fromisoformat(local)) == pytest.approx(expected)


def test_a_plant_without_a_night_shift_sleeps_at_night() -> None:
    plant = BY_SLUG["sabadell"]
    plans = traffic.day_plans(plant, date(2026, 10, 22), SEED)
    extra = {plan.token for plan in plans if plan.outcome != HEALTHY}
    local = [plan.started_at.astimezone(plant.zone).hour for plan in plans if plan.token not in extra]
    assert len(local) > 200
    assert all(6 <= hour < 22 for hour in local)


def test_no_run_is_lost_or_doubled_when_the_clocks_change() -> None:
    plant = BY_SLUG["ulm"]
    for day in (date(2026, 3, 29), date(2026, 10, 25)):
        plans = traffic.day_plans(plant, day, SEED)
        assert {plan.started_at.astimezone(plant.zone).date() for plan in plans} == {day}
        assert len({plan.token for plan in plans}) == len(plans)


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


def test_a_silent_source_sends_nothing_in_its_window() -> None:
    for plant in PLANTS:
        for offset in range(120):
            day = date(2026, 8, 1) + timedelta(days=offset)
            for fault in traffic.day_faults(plant, day, SEED):
                if fault.silences:
                    plans = traffic.day_plans(plant, day, SEED)
                    assert not [plan for plan in plans if fault.covers(plan.flow, plan.started_at)]
                    return
    pytest.fail("in four months no source fell silent")


def test_past_faults_end_well_and_the_opening_scene_does_not() -> None:
    month = traffic.usual(PLANTS, NOON - timedelta(days=30), NOON, SEED)
    died = [plan for plan in month if plan.outcome.dies]
    assert died
    assert all(plan.outcome.repaired_after_s for plan in died)
    assert [plan for plan in scene(NOON, SEED) if plan.outcome.dies and plan.outcome.repaired_after_s is None]


def test_the_opening_scene_is_over_when_it_is_sent() -> None:
    rest = Rest()
    sent = list(batches(scene(NOON, SEED), NOON, Drawer(SEED), rest))
    assert not rest.late
    for found in sent:
        assert all((span.end_time or 0) <= NOON.timestamp() * 1e9 for span in found.spans)


# Wire and state ------------------------------------------------------------------------------------------------------
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


def test_a_second_start_goes_on_where_the_first_one_stopped(tmp_path: Path) -> None:
    state = State(SEED)
    state.plan_blocks(NOON)
    assert [block.until for block in state.blocks[:2]] == [NOON, NOON - timedelta(hours=1)]
    state.blocks[0].is_done = True
    state.blocks[1].batches = 4
    state.pending = [run_of("ulm", "quality_decision")]
    save(tmp_path, state)
    again = load(tmp_path, SEED)
    again.plan_blocks(NOON + timedelta(minutes=5))
    assert again.blocks == state.blocks
    assert again.live_until == NOON
    assert again.pending == state.pending


def test_a_long_pause_is_filled_without_overlap(tmp_path: Path) -> None:
    state = State(SEED, [Block(NOON - timedelta(days=30), NOON, NOON, is_done=True)], NOON)
    save(tmp_path, state)
    again = load(tmp_path, SEED)
    later = NOON + timedelta(days=2)
    again.plan_blocks(later)
    fresh = [block for block in again.blocks if not block.is_done]
    assert fresh[0].until == later
    assert fresh[-1].since == NOON
    assert all(newer.since == older.until for newer, older in pairwise(fresh))


def test_progress_is_what_the_state_says(tmp_path: Path) -> None:
    assert progress.read(tmp_path) is None
    state = State(SEED)
    state.plan_blocks(NOON)
    state.is_live = True
    save(tmp_path, state)
    assert progress.read(tmp_path) == progress.Progress(0, 30, is_live=True)
    for block in state.blocks:
        block.is_done = True
    save(tmp_path, state)
    found = progress.read(tmp_path)
    assert found is not None
    assert found.is_complete


def test_a_plan_survives_its_file() -> None:
    plan = run_of("ulm", "redrive", outcome(FaultKind.DEAD_LETTER, stream(SEED, "x")))
    assert loaded(dumped(plan)) == plan
