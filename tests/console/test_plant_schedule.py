"""The plant's schedule: it repeats with its seed, follows the plants' clocks, and goes on where it stopped."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from console.plant import progress, traffic
from console.plant.drawing import Drawer
from console.plant.faults import FaultKind, outcome
from console.plant.history import Batch, Rest, batches
from console.plant.opening import scene
from console.plant.outcome import HEALTHY
from console.plant.plan import Plan, dumped, loaded
from console.plant.plants import BY_SLUG, PLANTS
from console.plant.randomness import stream
from console.plant.shifts import Shifts, activity, hours
from console.plant.state import Block, State, load, save

NOON = datetime(2026, 11, 18, 11, 0, tzinfo=UTC)
SEED = 7


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


# Faults and their ends ---------------------------------------------------------------------------------------------
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


# State ---------------------------------------------------------------------------------------------------------------
def test_a_second_start_goes_on_where_the_first_one_stopped(tmp_path: Path) -> None:
    state = State(SEED)
    state.plan_blocks(NOON)
    assert [block.until for block in state.blocks[:2]] == [NOON, NOON - timedelta(hours=1)]
    state.blocks[0].is_done = True
    state.blocks[1].batches = 4
    state.pending = [Plan("ulm", "quality_decision", NOON, 20, "x")]
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
    goes = outcome(FaultKind.DEAD_LETTER, stream(SEED, "x"), repaired_s=60.0)
    plan = Plan("ulm", "redrive", NOON, 20, "x", outcome=goes, memory={"a": "b"})
    assert loaded(dumped(plan)) == plan
