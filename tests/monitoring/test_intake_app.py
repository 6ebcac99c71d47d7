"""The intake application by itself: what it does about senders that dawdle, leave, or are too many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, MutableMapping
from typing import Any

import pytest
from google.rpc.status_pb2 import Status

from monitoring.models import Intake, IntakeOutcome, Notification
from monitoring.receive import door as module
from monitoring.receive.app import IntakeApp
from monitoring.receive.arrival import Answer
from monitoring.receive.outcomes import Outcomes, totals_of_all
from partners.keys import KeyHolder
from partners.scope import tenant_scope
from partners.services import ingest_key_issue
from tests import loops
from tests.cast import Member
from tests.monitoring.line import attempt, died, span, take_events, traces
from tests.rows import make_channel

pytestmark = pytest.mark.django_db(transaction=True)


class Sender:
    """One HTTP request as a server hands it to the application, part by part, and what was answered."""

    def __init__(self, *parts: MutableMapping[str, Any], key: str = "", **headers: str) -> None:
        self.parts = list(parts)
        given = {"content_type": "application/x-protobuf", "authorization": f"Bearer {key}", **headers}
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/traces",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
        }
        self.said: list[MutableMapping[str, Any]] = []
        #: How many parts were left when the answer was there.
        self.unread = 0

    async def receive(self) -> MutableMapping[str, Any]:
        if not self.parts:
            await asyncio.sleep(60)
        return self.parts.pop(0)

    def send(self, message: MutableMapping[str, Any]) -> Awaitable[None]:
        self.said.append(message)
        if len(self.said) == 2:
            self.unread = len(self.parts)
        return asyncio.sleep(0)

    @property
    def answer(self) -> tuple[int, dict[bytes, bytes]]:
        return self.said[0]["status"], dict(self.said[0]["headers"])


def part(body: bytes, *, more: bool = False) -> MutableMapping[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def key_of(member: Member) -> str:
    return ingest_key_issue(tenant_id=member.tenant.pk, label="tests", actor="system:tests")[1].text


def run(application: IntakeApp, *senders: Sender) -> None:
    """All of them at once; what was refused is written down before this returns."""

    async def all_of_them() -> None:
        await asyncio.gather(*(application(sender.scope, sender.receive, sender.send) for sender in senders))

    loops.run(all_of_them())
    application.door.close()
    application.door.outcomes.write()


def nothing(tenant_id: int, ids: tuple[int, ...]) -> None:
    """Nobody waits for what is to be sent."""


@pytest.fixture
def application(db: None, monkeypatch: pytest.MonkeyPatch) -> IntakeApp:
    monkeypatch.setattr(Outcomes, "_start_writing", lambda _: None)
    return IntakeApp(after=nothing)


def test_it_answers_408_to_a_body_that_does_not_come(
    owner: Member, application: IntakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.05)
    slow = Sender(part(b"\x0a", more=True), key=key_of(owner))
    run(application, slow)
    assert slow.answer[0] == 408
    assert Status.FromString(slow.said[1]["body"]).code == 4


def test_it_answers_nobody_who_has_left_and_keeps_nothing_of_theirs(owner: Member, application: IntakeApp) -> None:
    gone = Sender(part(traces(span()), more=True), {"type": "http.disconnect"}, key=key_of(owner))
    run(application, gone)
    assert gone.said == []
    with owner.scope():
        assert Intake.objects.count() == 0


def test_it_asks_to_come_back_when_too_many_bytes_are_in_flight(owner: Member, application: IntakeApp) -> None:
    sender = Sender(part(b"\xff" * 800, more=True), part(b"\xff" * 100), key=key_of(owner))
    small = application.door.room.small
    with small.holding(0) as others:
        others.add(small.most - 850)
        run(application, sender)
    assert (sender.answer[0], sender.answer[1][b"retry-after"], application.door.room.held) == (503, b"1", 0)


def test_it_refuses_unread_what_announces_more_than_there_is_room_for(owner: Member, application: IntakeApp) -> None:
    large = application.door.room.large
    sender = Sender(part(b"\xff" * 800), key=key_of(owner), content_length=str(50 << 20))
    with large.holding(0) as others:
        others.add(large.most - (20 << 20))
        run(application, sender)
    assert (sender.answer[0], sender.answer[1][b"retry-after"], sender.unread) == (503, b"1", 1)


def test_it_reads_on_what_it_has_refused_once_the_answer_is_out(owner: Member, application: IntakeApp) -> None:
    parts = [*[part(bytes(200 << 10), more=True) for _ in range(9)], part(b"end")]
    sender = Sender(*parts, key=key_of(owner), content_length=str(1 << 40))
    run(application, sender)
    assert (sender.answer[0], sender.unread, len(sender.parts)) == (413, 10, 0)
    assert [message.get("more_body", False) for message in sender.said[1:]] == [True, False]


def test_it_does_not_wait_for_a_body_whose_sender_asked_first(owner: Member, application: IntakeApp) -> None:
    sender = Sender(part(b"x"), key=key_of(owner), content_length=str(1 << 40), expect="100-continue")
    run(application, sender)
    assert (sender.answer[0], len(sender.parts), len(sender.said)) == (413, 1, 2)


def test_it_gives_back_what_a_request_held(owner: Member, application: IntakeApp) -> None:
    sender = Sender(part(b"\xff" * 900), key=key_of(owner))
    run(application, sender)
    assert (sender.answer[0], application.door.room.held) == (400, 0)


def test_it_asks_to_come_back_after_a_fault_of_its_own(
    owner: Member, application: IntakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "accept_together", broken)
    sender = Sender(part(b"\x0a\x00"), key=key_of(owner))
    run(application, sender)
    assert (sender.answer[0], sender.answer[1][b"retry-after"]) == (503, b"1")


def test_it_forgives_a_slash_at_the_end_and_serves_nothing_else() -> None:
    assert IntakeApp.serves("/v1/traces")
    assert IntakeApp.serves("/v1/events/")
    assert not IntakeApp.serves("/t/aster-foods/v1/traces")


def test_it_answers_in_time_whatever_the_database_does(
    owner: Member, application: IntakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ANSWER_S", 0.05)

    def late(*_: object) -> list[Answer]:
        time.sleep(0.2)
        return []

    monkeypatch.setattr(module, "accept_together", late)
    sender = Sender(part(b"\x0a\x00"), key=key_of(owner))
    began = time.monotonic()
    holder = KeyHolder("tests", owner.tenant.pk, None)
    monkeypatch.setattr(application.door.keys, "holder", lambda _: asyncio.sleep(0, holder))
    run(application, sender)
    assert (sender.answer[0], sender.answer[1][b"retry-after"]) == (503, b"1")
    assert time.monotonic() - began < 5


def test_it_hands_over_what_waits_to_be_sent_once_it_is_committed(owner: Member) -> None:
    seen: list[tuple[int, list[str]]] = []

    def watch(tenant_id: int, ids: tuple[int, ...]) -> None:
        with tenant_scope(tenant_id, actor="system:tests"):
            seen.append((tenant_id, list(Notification.objects.filter(pk__in=ids).values_list("state", flat=True))))

    with owner.scope():
        make_channel(min_severity="low")
    body = traces(attempt("u", 3, phase="dead"))
    for _ in range(2):
        run(IntakeApp(after=watch), Sender(part(body), key=key_of(owner), content_type="application/json"))
    assert seen == [(owner.tenant.pk, ["intended", "intended"])]


def test_it_counts_every_answer_by_signal_status_and_reason(owner: Member, application: IntakeApp) -> None:
    before = {(one.signal, one.status, one.reason): figures.requests for one, figures in totals_of_all().items()}
    key = key_of(owner)
    good = {"key": key, "content_type": "application/json"}
    body = traces(span(), span())
    run(application, Sender(part(b""), key=key), Sender(part(b""), key="nonsense"), Sender(part(body), **good))
    after = {(one.signal, one.status, one.reason): figures.requests for one, figures in totals_of_all().items()}
    assert {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name)} == {
        ("traces", 200, ""): 1,
        ("traces", 400, "malformed"): 1,
        ("traces", 401, "unauthenticated"): 1,
    }
    with owner.scope():
        assert list(IntakeOutcome.objects.order_by("status").values_list("status", "reason", "requests", "items")) == [
            (200, "", 1, 2),
            (400, "malformed", 1, 0),
        ]


def test_it_writes_nothing_into_another_tenant(owner: Member, stranger: Member, application: IntakeApp) -> None:
    take_events(stranger.tenant.pk, died("m-1"))
    sender = Sender(part(traces(span())), key=key_of(owner), content_type="application/json")
    run(application, sender)
    for member, count in ((owner, 1), (stranger, 1)):
        with member.scope():
            assert Intake.objects.count() == count
            assert set(Intake.objects.values_list("tenant_id", flat=True)) == {member.tenant.pk}
