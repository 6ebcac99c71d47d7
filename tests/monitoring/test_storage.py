"""The log with time: days made ahead, counted, kept by a hold, dropped by retention."""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.test import override_settings

from monitoring.models import Intake, IntakeDay, IntakeOutcome, LegalHold, PlainTry
from monitoring.models.intake import first_id
from monitoring.project.plain_rows import place_of
from monitoring.receive.outcomes import WRITTEN_WITHIN
from monitoring.selectors.usage import usage_by_day
from monitoring.services.legal_holds import hold_place, hold_release
from monitoring.storage.counting import days_count
from monitoring.storage.partitions import Dropped, days_kept, partitions_drop, partitions_make
from monitoring.storage.pruning import LATENESS, outcomes_fold, plain_tries_prune
from monitoring.tasks import intake_days_count, intake_days_keep
from partners.permission import RightMissing
from tests import rows
from tests.cast import Member
from tests.monitoring.test_intake_log import address, kept

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
TODAY = NOON.date()


def make_day(day: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT intake_partition_make(%s)", [day])


def drop(day: date) -> str:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT intake_partition_drop(%s)", [day])
        return str(cursor.fetchone()[0])


@pytest.mark.django_db
def test_it_makes_days_ahead_once() -> None:
    partitions_make()
    ahead = [day for day in days_kept().days if day >= TODAY]
    assert ahead == [TODAY + timedelta(days=number) for number in range(8)]
    assert partitions_make() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("ago", [-1, 0, 6])
def test_the_database_refuses_to_drop_a_day_of_the_last_week(ago: int) -> None:
    make_day(TODAY - timedelta(days=ago))
    with pytest.raises(DatabaseError, match="holds a day of the last week"):
        drop(TODAY - timedelta(days=ago))
    assert partitions_drop(today=TODAY, retention_days=0) == Dropped((), ())


@pytest.mark.django_db
def test_the_app_may_drop_no_day_by_itself() -> None:
    for table in (f"monitoring_intake_{TODAY:%Y%m%d}", "monitoring_intake"):
        with pytest.raises(DatabaseError, match="must be owner"), transaction.atomic():
            connection.cursor().execute(f"DROP TABLE {table}")


class TestRetention:
    """Two days of a month ago, which the database's own clock calls old, in a log that was partitioned then already."""

    @pytest.fixture(autouse=True)
    def _days(self, transactional_db: None, owner: Member) -> None:
        self.day = TODAY - timedelta(days=30)
        with psycopg.connect(address("andon_owner")) as holder:
            holder.execute("DROP TABLE monitoring_intake_before")
        for day in (self.day, self.day + timedelta(days=1)):
            make_day(day)
        self.at = datetime(self.day.year, self.day.month, self.day.day, 9, tzinfo=UTC)
        self.intake_id = kept(owner, self.at, b"old").intake_id

    def rows(self, member: Member) -> int:
        with member.scope():
            return Intake.objects.count()

    def test_it_drops_what_is_older_than_its_retention_and_nothing_else(self, owner: Member) -> None:
        kept(owner, NOON, b"new")
        assert partitions_drop(today=TODAY, retention_days=30) == Dropped((), ())
        assert partitions_drop(today=TODAY, retention_days=29) == Dropped((self.day,), ())
        assert self.day not in days_kept().days
        assert self.day + timedelta(days=1) in days_kept().days
        assert self.rows(owner) == 1
        assert partitions_drop(today=TODAY, retention_days=29) == Dropped((), ())

    def test_a_hold_of_any_tenant_keeps_the_day_for_all(self, owner: Member, stranger: Member) -> None:
        hold = hold_place(since=self.day, until=self.day, reason="recall 12", viewer=stranger.viewer)
        assert partitions_drop(today=TODAY, retention_days=20) == Dropped((self.day + timedelta(days=1),), (self.day,))
        assert self.rows(owner) == 1
        hold_release(hold=hold, reason="settled", viewer=stranger.viewer)
        assert partitions_drop(today=TODAY, retention_days=20) == Dropped((self.day,), ())
        assert self.rows(owner) == 0

    @pytest.mark.parametrize(
        ("since", "until", "holds"),
        [(-9, None, True), (0, None, True), (1, None, False), (-9, -1, False), (-9, 0, True), (0, 9, True)],
    )
    def test_a_hold_covers_its_days_both_included(
        self, owner: Member, since: int, until: int | None, holds: bool
    ) -> None:
        last = None if until is None else self.day + timedelta(days=until)
        hold_place(since=self.day + timedelta(days=since), until=last, reason="recall", viewer=owner.viewer)
        assert drop(self.day) == ("held" if holds else "dropped")

    def test_a_hold_that_is_being_placed_is_waited_for(self, owner: Member) -> None:
        found: list[str] = []

        def drop_beside() -> None:
            with psycopg.connect(address("andon_app")) as other:
                row = other.execute("SELECT intake_partition_drop(%s)", [self.day]).fetchone()
                found.append(row[0] if row else "")

        with owner.scope():
            LegalHold.objects.create(since=self.day, reason="recall", placed_at=NOON, placed_by="tests")
            dropping = threading.Thread(target=drop_beside)
            dropping.start()
            time.sleep(0.3)
            assert found == []
        dropping.join()
        assert found == ["held"]

    def test_a_busy_log_is_left_for_the_next_hour(self, owner: Member) -> None:
        with psycopg.connect(address("andon_app")) as other:
            other.execute(f"SET LOCAL app.tenant_id = '{owner.tenant.pk}'")
            other.execute("SELECT count(*) FROM monitoring_intake")
            with override_settings(INTAKE_RETENTION_DAYS=10):
                assert intake_days_keep() == 0
                other.rollback()
                assert intake_days_keep() == 2

    def test_a_day_that_is_gone_is_made_again_when_the_clock_steps_back_into_it(self, owner: Member) -> None:
        assert drop(self.day) == "dropped"
        assert drop(self.day) == "absent"
        assert not kept(owner, self.at, b"old").repeated
        assert self.rows(owner) == 1


def test_only_who_may_places_and_releases_holds_and_it_is_audited(
    owner: Member, colleague: Member, observer: Member
) -> None:
    body = {"since": "2026-03-01", "until": "2026-03-31", "reason": "recall 12"}
    for member in (colleague, observer):
        assert member.post("legal-holds/", body).status_code == 403
        assert member.get("legal-holds/").json()["results"] == []
        with pytest.raises(RightMissing):
            hold_place(since=TODAY, until=None, reason="mine", viewer=member.viewer)
    made = owner.post("legal-holds/", body)
    assert made.status_code == 201
    hold = made.json()
    assert (hold["since"], hold["until"], hold["placed_by"]) == ("2026-03-01", "2026-03-31", owner.viewer.actor)
    released = owner.post(f"legal-holds/{hold['id']}/release/", {"reason": "settled"}).json()
    again = owner.post(f"legal-holds/{hold['id']}/release/", {"reason": "once more"}).json()
    assert (released["released_reason"], again) == ("settled", released)
    trail = owner.get("audit/", object_type="monitoring_legalhold").json()["results"]
    assert [(entry["action"], entry["reason"]) for entry in trail] == [("update", "settled"), ("insert", "recall 12")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"since": "2026-03-02", "until": "2026-03-01", "reason": "x"}, "until"),
        ({"since": "2026-03-02"}, "reason"),
        ({"reason": "x"}, "since"),
    ],
)
def test_a_hold_that_says_nothing_is_refused_by_name(owner: Member, body: dict[str, str], field: str) -> None:
    answer = owner.post("legal-holds/", body)
    assert (answer.status_code, field in answer.content.decode()) == (400, True)


def test_it_counts_in_steps_what_it_counts_as_a_whole_afterwards(owner: Member, stranger: Member) -> None:
    start = datetime(2026, 12, 24, tzinfo=UTC)
    make_day(start.date())
    with owner.scope():
        for hour in (1, 5, 23):
            rows.make_intake(b"12345", received_at=start + timedelta(hours=hour), items=2, rejected=1)
    for minutes in (120, 180, 360, 360, 1439):
        days_count(owner.tenant.pk, start + timedelta(minutes=minutes))
    with owner.scope():
        row = IntakeDay.objects.get()
        assert (row.day, row.requests, row.items, row.rejected_items, row.bytes) == (start.date(), 3, 6, 3, 15)
        # It was given its number before the last step and committed after it.
        rows.make_intake(b"123", received_at=start + timedelta(hours=2), items=5)
    days_count(owner.tenant.pk, start + timedelta(hours=24, minutes=59))
    with owner.scope():
        assert [(day.requests, day.is_final) for day in IntakeDay.objects.all()] == [(3, False)]
    for _ in range(2):
        days_count(owner.tenant.pk, start + timedelta(hours=25))
    with owner.scope():
        row = IntakeDay.objects.get()
        assert (row.requests, row.items, row.bytes_stored, row.is_final) == (4, 11, 18, True)
        usage = usage_by_day(owner.viewer, since=start, until=start + timedelta(days=1))
        assert [(day.day, day.requests) for day in usage] == [(start.date(), 4)]
    with stranger.scope():
        assert usage_by_day(stranger.viewer, since=start) == []


def test_it_counts_every_tenant(owner: Member, stranger: Member) -> None:
    now = datetime.now(UTC)
    for member in (owner, stranger):
        kept(member, max(now - timedelta(minutes=5), now.replace(hour=0, minute=0, second=0)))
    intake_days_count()
    for member in (owner, stranger):
        with member.scope():
            counted = [row.requests for row in IntakeDay.objects.all()]
            # In the first minute of a day there is nothing that is old enough to be counted.
            assert counted == [1] or now.time() < (NOON - timedelta(hours=11, minutes=54)).time()


def test_an_id_and_the_databases_own_first_id_agree() -> None:
    assert first_id(datetime(2026, 11, 21, tzinfo=UTC)) == 20_778 * 86_400 * 2**21


def test_notes_of_tries_go_once_no_death_can_come_late_enough(owner: Member, stranger: Member) -> None:
    now = datetime(2026, 11, 21, 9, tzinfo=UTC)
    for member in (owner, stranger):
        with member.scope():
            for unit, age in ((1, LATENESS + timedelta(seconds=1)), (2, LATENESS - timedelta(seconds=1))):
                began_at = now - age
                PlainTry.objects.create(unit=unit, place=place_of(unit, began_at, began_at), began_at=began_at)
            # Of a sender whose clock was ahead at the time.
            began_at = now - LATENESS - timedelta(days=1)
            place = place_of(3, began_at, began_at - timedelta(days=2))
            PlainTry.objects.create(unit=3, place=place, began_at=began_at)
            # Of long ago, and told of just now.
            PlainTry.objects.create(unit=4, place=place_of(4, began_at, now), began_at=began_at)
    assert plain_tries_prune(owner.tenant.pk, now) == 2
    for member, left in ((owner, [2, 4]), (stranger, [1, 2, 3, 4])):
        with member.scope():
            assert sorted(PlainTry.objects.values_list("unit", flat=True)) == left


def test_it_makes_one_row_of_what_workers_counted_of_an_old_hour(owner: Member, stranger: Member) -> None:
    now = datetime.now(UTC)
    old, new = (now - timedelta(days=days) for days in (WRITTEN_WITHIN.days + 2, 1))

    def counted(member: Member, hour: datetime, worker: str, reason: str = "") -> None:
        with member.scope():
            IntakeOutcome.objects.create(
                tenant=member.tenant, hour=hour, signal="traces", status=200, reason=reason, worker=worker,
                requests=1, items=20, rejected=3, bytes=400,
            )  # fmt: skip

    for member, hour, worker in ((owner, old, "a"), (owner, old, "b"), (owner, new, "a"), (stranger, old, "a")):
        counted(member, hour, worker)
    counted(owner, old, "b", "repeated")
    assert outcomes_fold(owner.tenant.pk, now) == 2
    # A clock that was wrong has left one more: it joins the sum.
    counted(owner, old, "c")
    for _ in range(2):
        outcomes_fold(owner.tenant.pk, now)

    def found(member: Member) -> set[tuple[object, ...]]:
        names = ("hour", "reason", "worker", "requests", "items", "rejected", "bytes")
        with member.scope():
            return set(IntakeOutcome.objects.values_list(*names))

    assert found(owner) == {
        (old, "", "", 3, 60, 9, 1200),
        (old, "repeated", "", 1, 20, 3, 400),
        (new, "", "a", 1, 20, 3, 400),
    }
    assert found(stranger) == {(old, "", "a", 1, 20, 3, 400)}
