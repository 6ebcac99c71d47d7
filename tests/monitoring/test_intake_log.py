"""The intake log by day: one row for each request whatever the clock says, and no way past the fence."""

from __future__ import annotations

import gzip
import random
import threading
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
import zstandard
from django.db import DatabaseError, connection, transaction
from psycopg.conninfo import make_conninfo

from console.embedded.postgres import connection as connection_of
from monitoring.models import Intake, IntakeDay
from monitoring.models.intake import first_id
from monitoring.receive.arrival import Arrival
from monitoring.receive.log import Kept, Packed, ask_to_keep, digest, packed
from monitoring.records import Decoded, Encoding, Payload, Signal
from monitoring.selectors.payloads import UnreadablePayload, payload_of
from monitoring.selectors.reception import last_received_at, reception
from tests import rows, servers
from tests.cast import Member

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
BEFORE, AFTER = TODAY + timedelta(days=1, seconds=-1), TODAY + timedelta(days=1, seconds=1)


def kept(member: Member, at: datetime, body: bytes = b"{}", **changes: Any) -> Kept:
    """Keep a body as if it had come at this time."""
    given: dict[str, Any] = {"encoding": Encoding.JSON, "content_encoding": "", "headers": {}}
    arrival = Arrival(member.tenant.pk, "tests", Signal.TRACES, body=body, **{**given, **changes})
    payload = Payload(Signal.TRACES, arrival.encoding, body, arrival.headers, at)
    with member.scope():
        return Kept.of(ask_to_keep(arrival, payload, Decoded(), digest(payload), packed(arrival, payload)))


def partition_of(intake_id: int) -> str:
    """The table a row of the log stands in."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM monitoring_intake WHERE id = %s", [intake_id])
        return str(cursor.fetchone()[0])


def name_of(day: date) -> str:
    return f"monitoring_intake_{day:%Y%m%d}"


@pytest.mark.parametrize("at", [BEFORE, AFTER, TODAY, TODAY + timedelta(hours=13)])
def test_it_puts_a_row_into_the_partition_of_its_day(owner: Member, at: datetime) -> None:
    found = kept(owner, at)
    with owner.scope():
        assert partition_of(found.intake_id) == name_of(at.date())
        assert Intake.objects.get(pk=found.intake_id).received_at == at
    assert first_id(at) <= found.intake_id < first_id(at + timedelta(seconds=1))


def test_an_id_fits_into_the_numbers_that_every_json_reader_takes() -> None:
    assert first_id(datetime(2106, 2, 7, tzinfo=UTC)) < 2**53


@pytest.mark.parametrize("later", [timedelta(), timedelta(hours=1), timedelta(hours=47, minutes=59)])
def test_it_knows_a_body_again_for_two_days_and_over_midnight(owner: Member, later: timedelta) -> None:
    first = kept(owner, BEFORE)
    again = kept(owner, BEFORE + later)
    assert (again.intake_id, again.repeated) == (first.intake_id, True)
    with owner.scope():
        assert Intake.objects.count() == 1


def test_it_knows_a_body_again_when_the_clock_steps_back_over_midnight(owner: Member) -> None:
    first = kept(owner, AFTER)
    assert kept(owner, BEFORE) == Kept(first.intake_id, repeated=True)


@pytest.mark.parametrize("hours", [-3, -20])
def test_it_knows_a_body_again_when_the_clock_steps_back_within_the_day(owner: Member, hours: int) -> None:
    first = kept(owner, BEFORE)
    assert kept(owner, BEFORE + timedelta(hours=hours)) == Kept(first.intake_id, repeated=True)


@pytest.mark.parametrize("hours", [-26, -52, -24 * 40])
def test_it_knows_a_body_again_however_far_the_clock_steps_back(owner: Member, hours: int) -> None:
    ahead = TODAY + timedelta(days=30, hours=1)
    first = kept(owner, ahead)
    assert kept(owner, ahead + timedelta(hours=hours)) == Kept(first.intake_id, repeated=True)
    assert not kept(owner, ahead + timedelta(hours=hours), b"[]").repeated


@pytest.mark.parametrize("days", [40, 4000, -4000])
def test_it_makes_the_partition_that_is_missing_and_goes_on(owner: Member, days: int) -> None:
    at = TODAY + timedelta(days=days, hours=5)
    found = kept(owner, at)
    with owner.scope():
        assert partition_of(found.intake_id) == (name_of(at.date()) if days > 0 else "monitoring_intake_before")
    assert kept(owner, at).repeated


_BODY = bytes(range(256)) * 200
_SHORT = bytes(random.Random(4711).choices(b"ab", k=600))  # noqa: S311
_NOISE = random.Random(4711).randbytes(5000)  # noqa: S311  The same noise each time.


@pytest.mark.parametrize(
    ("body", "content_encoding", "kept_as"),
    [
        (_BODY, "gzip", "zstd"),
        (_BODY, "GZIP ", "zstd"),
        (_BODY, "deflate", "zstd"),
        (_BODY, "", "zstd"),
        # What zstd makes no smaller stays as it came.
        (_SHORT, "gzip", "gzip"),
        (_NOISE, "deflate", ""),
        (_NOISE, "", ""),
        (b"{}", "gzip", "gzip"),
        (b"{}", "deflate", ""),
        # What is large is not packed a second time.
        (_BODY * 100, "gzip", "gzip"),
    ],
)
def test_it_keeps_every_byte_that_was_meant_in_the_smaller_packing(
    owner: Member, body: bytes, content_encoding: str, kept_as: str
) -> None:
    packers: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "": bytes}
    came = packers[content_encoding.strip().lower()](body)
    arrival = Arrival(owner.tenant.pk, "tests", Signal.TRACES, Encoding.JSON, content_encoding, {}, came)
    stored = packed(arrival, Payload(Signal.TRACES, Encoding.JSON, body, {}, TODAY))
    assert stored.compression == kept_as
    assert len(stored.body) <= max(len(came), len(body))
    assert kept_as != "gzip" or stored.body == came
    with owner.scope():
        row = rows.make_intake(stored.body, compression=stored.compression, size=len(body))
        assert payload_of(Intake.objects.get(pk=row.pk)).body == body


def test_it_leaves_what_came_as_zstd_as_it_is(owner: Member) -> None:
    came = zstandard.ZstdCompressor(level=1).compress(_BODY)
    arrival = Arrival(owner.tenant.pk, "tests", Signal.TRACES, Encoding.JSON, "zstd", {}, came)
    assert packed(arrival, Payload(Signal.TRACES, Encoding.JSON, _BODY, {}, TODAY)) == Packed("zstd", came)


@pytest.mark.parametrize("damage", [lambda body: body[:-20], lambda body: body[:-9] + b"?" + body[-8:]])
def test_it_says_so_when_a_body_is_no_longer_what_was_kept(owner: Member, damage: Callable[[bytes], bytes]) -> None:
    arrival = Arrival(owner.tenant.pk, "tests", Signal.TRACES, Encoding.JSON, "", {}, _BODY)
    stored = packed(arrival, Payload(Signal.TRACES, Encoding.JSON, _BODY, {}, TODAY))
    with owner.scope():
        row = rows.make_intake(damage(stored.body), compression="zstd", size=len(_BODY))
        with pytest.raises(UnreadablePayload):
            payload_of(Intake.objects.get(pk=row.pk))


def test_it_keeps_no_header_but_an_events_own(owner: Member) -> None:
    spans = kept(owner, TODAY, _BODY, headers={"content-type": "application/json"})
    said = {"content-type": "text/plain", "ce-id": "1"}
    event = kept(owner, TODAY, _BODY, encoding=Encoding.CLOUDEVENT_BINARY, headers=said)
    with owner.scope():
        assert Intake.objects.get(pk=spans.intake_id).headers == {}
        row = Intake.objects.get(pk=event.intake_id)
        assert (row.compression, row.headers) == ("zstd", said)
        assert len(bytes(row.body)) < 1000


def test_a_lookup_by_id_opens_one_partition(owner: Member) -> None:
    found = kept(owner, AFTER)
    with owner.scope(), connection.cursor() as cursor:
        cursor.execute("EXPLAIN SELECT body FROM monitoring_intake WHERE id = ANY(%s)", [[found.intake_id]])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert name_of(AFTER.date()) in plan
    assert plan.count("monitoring_intake_2") == 2, plan  # its index, and the table


def test_it_says_when_something_came_last_however_long_ago(owner: Member, stranger: Member) -> None:
    for ago in (timedelta(days=300), timedelta(days=3), timedelta(minutes=1)):
        with owner.scope():
            at = datetime.now(UTC) - ago
            kept(owner, at, str(ago).encode())
            IntakeDay.objects.create(day=at.date(), signal="traces", counted_to=0)
            assert last_received_at(owner.viewer, datetime.now(UTC)) == at
    with owner.scope():
        assert reception(owner.viewer, datetime.now(UTC)).requests == 1
    with stranger.scope():
        assert last_received_at(stranger.viewer, datetime.now(UTC)) is None


@pytest.mark.parametrize("right", ["SELECT count(*) FROM {}", "DELETE FROM {}", "INSERT INTO {} DEFAULT VALUES"])
def test_the_app_reaches_no_partition_past_the_policy(owner: Member, right: str) -> None:
    kept(owner, TODAY)
    for table in (name_of(TODAY.date()), "monitoring_intake_before"):
        with owner.scope(), pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            connection.cursor().execute(right.format(table))


@pytest.fixture
def plain(transactional_db: None) -> str:
    """How to reach this worker's database as the app, beside Django."""
    return address("andon_app")


def address(role: str) -> str:
    return make_conninfo(**connection_of(servers.run_home(), role, dbname=servers.database_name()))


def test_a_partition_granted_by_mistake_shows_nothing(plain: str, owner: Member) -> None:
    found = kept(owner, TODAY)
    with psycopg.connect(address("andon_owner")) as holder:
        holder.execute(f"GRANT SELECT ON {name_of(TODAY.date())} TO andon_app")
    count = "SELECT count(*) FROM {} WHERE id = %s"
    with owner.scope(), connection.cursor() as cursor:
        cursor.execute(count.format("monitoring_intake"), [found.intake_id])
        assert cursor.fetchone() == (1,)
        cursor.execute(count.format(name_of(TODAY.date())), [found.intake_id])
        assert cursor.fetchone() == (0,)


_CALL = "SELECT * FROM intake_keep(%s, %s, 'traces', 'x', '{}', %s, '', '', 1, 1, 0, '[]', 'tests')"


def _at_once(conninfo: str, tenant: int, instants: list[datetime]) -> list[tuple[int, bool]]:
    """Keep the same body at these times in transactions that all begin before any of them commits."""
    found: list[tuple[int, bool]] = []
    start = threading.Barrier(len(instants))

    def work(at: datetime) -> None:
        with psycopg.connect(conninfo) as own, own.transaction():
            own.execute(f"SET LOCAL app.tenant_id = '{tenant}'")
            start.wait()
            row = own.execute(_CALL, [tenant, at, b"d" * 32]).fetchone()
            assert row is not None
            found.append((row[0], row[1]))

    workers = [threading.Thread(target=work, args=[at]) for at in instants]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found


def test_the_same_body_in_flight_on_both_sides_of_midnight_is_one_row(plain: str, owner: Member) -> None:
    found = _at_once(plain, owner.tenant.pk, [BEFORE, AFTER] * 5)
    assert len({intake_id for intake_id, _ in found}) == 1
    assert sorted(repeated for _, repeated in found) == [False] + [True] * 9


def test_without_the_lock_the_same_body_on_both_sides_of_midnight_is_caught(plain: str, owner: Member) -> None:
    """The control: the same function without its lock keeps the body once on each side."""
    with psycopg.connect(address("andon_owner")) as holder:
        row = holder.execute("SELECT pg_get_functiondef('intake_keep'::regproc)").fetchone()
        assert row is not None
        unlocked = row[0].replace("pg_advisory_xact_lock", "greatest")
        # It waits after the search, so that both have looked before either writes.
        slow = unlocked.replace("kept_id := intake_new_id", "PERFORM pg_sleep(0.3); kept_id := intake_new_id")
        assert len({row[0], unlocked, slow}) == 3
        holder.execute(slow.encode())
    found = _at_once(plain, owner.tenant.pk, [BEFORE, AFTER])
    assert [repeated for _, repeated in found] == [False, False]


def test_ten_requests_that_miss_the_same_partition_make_it_once(plain: str, owner: Member) -> None:
    far = TODAY + timedelta(days=90)
    found = _at_once(plain, owner.tenant.pk, [far + timedelta(seconds=number) for number in range(10)])
    assert len({intake_id for intake_id, _ in found}) == 1
