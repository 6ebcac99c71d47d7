"""The outbox: a row with the alert, sent at least once and recognisably, or not at all for a reason that is told."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connections
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError
from pytest_django import Settings

from monitoring import tasks
from monitoring.models import Channel, Notification, Timer
from monitoring.models.delivery import NotificationState
from monitoring.notify import delivery
from monitoring.notify.delivery import deliver
from monitoring.notify.outbox import HISTORY, Told, judge
from monitoring.notify.transport import Message
from monitoring.rules import ChannelRule
from monitoring.tasks import timers_sweep
from tests.cast import Member
from tests.monitoring.line import died, now, redriven, take_events
from tests.monitoring.post_boxes import WebReceiver, mail_receiver, status, web_receiver
from tests.rows import make_alert, make_channel, make_process, make_rule

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.get_default_timezone())
_WORKING = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def receiver(settings: Settings) -> Iterator[WebReceiver]:
    """A web server that the tenant's channel names."""
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with web_receiver() as started:
        yield started


@pytest.fixture
def channel(owner: Member, receiver: WebReceiver) -> Channel:
    """A webhook that carries everything."""
    with owner.scope():
        return make_channel(kind="webhook", target=receiver.url, secret=SECRET, min_severity="low")


def rows(member: Member) -> list[tuple[str, str]]:
    with member.scope():
        return list(Notification.objects.order_by("pk").values_list("event", "state"))


def only(member: Member) -> Notification:
    with member.scope():
        found: Notification = Notification.objects.get()
    return found


# What is written -----------------------------------------------------------------------------------------------------


def alert_of(**changes: Any) -> Told:
    given = Told(id=1, severity="high", kind="dead_letter", last_seen_at=NOON, raised_at=NOON)
    return given._replace(**changes)


@pytest.mark.parametrize(
    ("channel_says", "alert_is", "event", "told", "reason"),
    [
        ({}, {}, "raised", False, ""),
        ({}, {"severity": "critical"}, "raised", False, ""),
        ({}, {"severity": "medium"}, "raised", False, "medium is below the channel's high"),
        ({"kinds": ("retry_storm",)}, {}, "raised", False, "the channel does not carry dead_letter"),
        ({"kinds": ("dead_letter",)}, {}, "raised", False, ""),
        ({}, {"last_seen_at": NOON - HISTORY}, "raised", False, ""),
        (
            {},
            {"last_seen_at": NOON - HISTORY - timedelta(seconds=1)},
            "raised",
            False,
            "it had happened more than an hour before it arrived",
        ),
        ({}, {"raised_at": NOON - timedelta(minutes=5)}, "resolved", True, ""),
        ({}, {"raised_at": NOON - timedelta(minutes=5)}, "resolved", False, "nobody was told that it was raised"),
        ({}, {"raised_at": NOON}, "resolved", True, "it was over before anyone was told"),
    ],
)
def test_it_judges_whether_a_channel_carries_an_alert(
    channel_says: dict[str, Any], alert_is: dict[str, Any], event: str, told: bool, reason: str
) -> None:
    channel = replace(ChannelRule(1, "high"), **channel_says)
    verdict = judge(channel, alert_of(**alert_is), event, NOON, told=told)
    expected = NotificationState.SUPPRESSED if reason else NotificationState.INTENDED
    assert (verdict.state, verdict.reason) == (expected, reason)


def test_it_writes_one_row_for_each_channel_with_the_alert(owner: Member, channel: Channel) -> None:
    with owner.scope():
        make_channel(min_severity="critical")
    take_events(owner.tenant.pk, died("m-1"))
    take_events(owner.tenant.pk, died("m-2"))
    with owner.scope():
        found = list(
            Notification.objects.filter(alert__kind="dead_letter").order_by("pk").values_list("state", "reason")
        )
    assert found == [("intended", ""), ("suppressed", "medium is below the channel's critical")]


def test_it_tells_nobody_of_history_nor_that_it_is_over(owner: Member, channel: Channel) -> None:
    with owner.scope():
        make_rule(make_process(), condition="event.source != ''")
    take_events(owner.tenant.pk, died("m-1", at=now() - timedelta(hours=2)))
    take_events(owner.tenant.pk, redriven("m-1", at=now() - timedelta(hours=1, minutes=50)))
    assert rows(owner) == [("raised", "suppressed"), ("resolved", "suppressed")]


def test_it_tells_of_an_alert_that_has_grown_loud_since(owner: Member) -> None:
    with owner.scope():
        process = make_process(criticality="normal", regulated=True)
        make_rule(process, condition="event.source != ''")
        make_channel(min_severity="high")
        process.regulated = False
        process.save()
    take_events(owner.tenant.pk, died("m-1"))
    assert rows(owner) == [("raised", "suppressed")]
    with owner.scope():
        process.regulated = True
        process.save()
    take_events(owner.tenant.pk, died("m-2"))
    assert rows(owner) == [("raised", "intended")]
    take_events(owner.tenant.pk, died("m-3"))
    assert rows(owner) == [("raised", "intended")]


def test_it_tells_of_history_that_goes_on_now(owner: Member, channel: Channel) -> None:
    with owner.scope():
        make_rule(make_process(), condition="event.source != ''")
    take_events(owner.tenant.pk, died("m-1", at=now() - timedelta(hours=2)))
    take_events(owner.tenant.pk, died("m-2"))
    assert rows(owner) == [("raised", "intended")]


# How it is sent ------------------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(owner: Member, channel: Channel) -> Notification:
    """One row that waits to be sent."""
    with owner.scope():
        make_rule(make_process(name="Order release", owner=owner.user), condition="event.source != ''")
    take_events(owner.tenant.pk, died("m-1", order_id="4711"))
    return only(owner)


def test_the_sweep_sends_what_no_worker_took(owner: Member, waiting: Notification, receiver: WebReceiver) -> None:
    timers_sweep()
    found = only(owner)
    assert (found.state, found.tries, found.delivered_at is not None) == ("delivered", 1, True)
    assert [post.headers["webhook-id"] for post in receiver.posts] == [waiting.message_id]
    assert not Timer.objects.filter(kind="notification").exists()


def test_it_says_what_happened_whose_it_is_and_what_to_do(
    owner: Member, waiting: Notification, receiver: WebReceiver
) -> None:
    deliver(owner.tenant.pk, waiting.pk, timezone.now())
    said = receiver.posts[0].body.decode()
    for part in (
        '"type":"alert.raised"',
        '"title":"Order release: 1 order stuck in dead-letter queue orders.dlq"',
        '"owner":"owner@aster.example"',
        '"tenant":"aster-foods"',
        '"next_step":"Remove the cause of TimeoutError, then redrive it."',
        f"/t/aster-foods/alerts/{waiting.alert_id}/",
    ):
        assert part in said


def test_it_sends_once_more_with_the_same_id_when_a_worker_died_between_sending_and_marking(
    owner: Member, waiting: Notification, receiver: WebReceiver
) -> None:
    at = timezone.now()
    deliver(owner.tenant.pk, waiting.pk, at)
    with owner.scope():
        Notification.objects.update(state="intended", claimed_until=at + timedelta(seconds=60), delivered_at=None)
    assert deliver(owner.tenant.pk, waiting.pk, at + timedelta(seconds=59)) is None
    assert deliver(owner.tenant.pk, waiting.pk, at + timedelta(seconds=61)) == "delivered"
    assert [post.headers["webhook-id"] for post in receiver.posts] == [waiting.message_id] * 2


def test_nothing_is_lost_when_the_broker_is_gone(
    owner: Member, waiting: Notification, receiver: WebReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise BrokerError("connection refused")

    monkeypatch.setattr(tasks.notification_deliver, "delay", gone)
    tasks.send_soon(owner.tenant.pk, (waiting.pk,))
    assert only(owner).state == "intended"
    timers_sweep()
    assert only(owner).state == "delivered"


def test_it_is_sent_no_second_time(owner: Member, waiting: Notification, receiver: WebReceiver) -> None:
    for _ in range(3):
        deliver(owner.tenant.pk, waiting.pk, timezone.now())
    assert len(receiver.posts) == 1


def test_it_waits_longer_after_each_failure(owner: Member, waiting: Notification, receiver: WebReceiver) -> None:
    receiver.answers += [status(500), status(503)]
    at = timezone.now()
    for wait in (5, 30):
        assert deliver(owner.tenant.pk, waiting.pk, at) == "intended"
        found = only(owner)
        assert found.next_try_at == at + timedelta(seconds=wait)
        assert Timer.objects.get(kind="notification").due_at == found.next_try_at
        at = found.next_try_at
    assert found.reason == "127.0.0.1 answered 503"
    assert deliver(owner.tenant.pk, waiting.pk, at) == "delivered"


def test_it_gives_up_after_the_last_wait(owner: Member, waiting: Notification, receiver: WebReceiver) -> None:
    receiver.answers += [status(500)] * 9
    at, states = timezone.now(), []
    for _ in range(9):
        states.append(deliver(owner.tenant.pk, waiting.pk, at))
        at += timedelta(hours=3)
    assert states == ["intended"] * 8 + ["failed"]
    assert only(owner).reason == "given up after 9 tries: 127.0.0.1 answered 500"


@pytest.mark.parametrize("number", [400, 410])
def test_it_fails_at_once_where_it_will_never_work(
    owner: Member, waiting: Notification, receiver: WebReceiver, number: int
) -> None:
    receiver.answers.append(status(number))
    deliver(owner.tenant.pk, waiting.pk, timezone.now())
    assert (only(owner).state, only(owner).reason) == ("failed", f"127.0.0.1 answered {number}")
    assert not Timer.objects.filter(kind="notification").exists()


def test_a_fault_of_ours_is_tried_again_and_not_without_end(
    owner: Member, waiting: Notification, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def send(self, target: str, secret: str, message: Message) -> None:
            raise ZeroDivisionError

    monkeypatch.setitem(delivery.TRANSPORTS, "webhook", Broken())
    at = timezone.now()
    assert deliver(owner.tenant.pk, waiting.pk, at) == "intended"
    found = only(owner)
    assert (found.reason, found.next_try_at) == ("a fault in Andon: ZeroDivisionError", at + timedelta(seconds=5))


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_it_once(owner: Member, waiting: Notification, receiver: WebReceiver) -> None:
    start = threading.Barrier(2)
    states: list[object] = []

    def work() -> None:
        start.wait()
        states.append(deliver(owner.tenant.pk, waiting.pk, timezone.now()))
        connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(map(str, states)) == ["None", "delivered"]
    assert len(receiver.posts) == 1


def test_it_is_not_to_be_sent_in_another_tenants_name(
    owner: Member, stranger: Member, waiting: Notification, receiver: WebReceiver
) -> None:
    assert deliver(stranger.tenant.pk, waiting.pk, timezone.now()) is None
    assert (receiver.posts, only(owner).tries) == ([], 0)


# E-mail --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def letter(owner: Member) -> Notification:
    """One row for a mail channel, whose alert's title tries to be two headers."""
    with owner.scope():
        channel = make_channel(target="desk@aster.example", min_severity="low")
        alert = make_alert(title="Order release:\r\nBcc: everyone@aster.example\n stuck", impact_priority="P1")
        row: Notification = Notification.objects.create(
            alert=alert, channel=channel, event="raised", message_id="msg_7", next_try_at=NOON, created_at=NOON
        )
    return row


def test_it_is_suppressed_with_its_reason_where_no_mail_server_is_set(owner: Member, letter: Notification) -> None:
    assert deliver(owner.tenant.pk, letter.pk, timezone.now()) == "suppressed"
    assert "No mail server is set: give EMAIL_HOST" in only(owner).reason


def test_it_writes_a_mail_that_a_mailbox_can_recognise_again(
    owner: Member, letter: Notification, settings: Settings
) -> None:
    settings.EMAIL_HOST, settings.EMAIL_BACKEND = "mail.aster.example", _WORKING
    deliver(owner.tenant.pk, letter.pk, timezone.now())
    [sent] = mail.outbox
    assert (sent.to, sent.message()["Message-ID"]) == (["desk@aster.example"], "<msg_7@andon>")
    assert sent.subject == "[P1] Order release: Bcc: everyone@aster.example stuck"


def test_it_goes_out_over_smtp_and_no_title_forges_a_header(
    owner: Member, letter: Notification, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with mail_receiver() as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", server.port, False
        assert deliver(owner.tenant.pk, letter.pk, timezone.now()) == "delivered"
    [raw] = server.mails
    headers = raw.split("\r\n\r\n", 1)[0]
    assert "\r\nBcc:" not in headers
    assert "Subject: [P1] Order release: Bcc: everyone@aster.example stuck" in headers


def test_it_fails_where_the_mail_server_knows_no_such_address(
    owner: Member, letter: Notification, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with mail_receiver("desk@aster.example") as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", server.port, False
        assert deliver(owner.tenant.pk, letter.pk, timezone.now()) == "failed"
    settings.EMAIL_PORT = server.port
    assert "refuses desk@aster.example" in only(owner).reason


def test_it_tries_again_where_the_mail_server_is_away(owner: Member, letter: Notification, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with mail_receiver() as server:
        port = server.port
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", port, False
    assert deliver(owner.tenant.pk, letter.pk, timezone.now()) == "intended"


def test_it_fails_for_an_address_with_a_line_break(owner: Member, letter: Notification, settings: Settings) -> None:
    settings.EMAIL_HOST, settings.EMAIL_BACKEND = "mail.aster.example", _WORKING
    with owner.scope():
        Channel.objects.update(target="desk@aster.example\nBcc: everyone@aster.example")
    assert deliver(owner.tenant.pk, letter.pk, timezone.now()) == "failed"
    assert mail.outbox == []
