"""Signed webhooks, against a real web server on this machine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import replace

import pytest
from pytest_django import Settings

from monitoring.notify import webhook
from monitoring.notify.transport import Message, PermanentFailure, TemporaryFailure
from monitoring.notify.webhook import Webhook
from tests.monitoring.post_boxes import Answer, Post, dripping, endless, silent, status, web_receiver

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ...").decode()
MESSAGE = Message("msg_1", "raised", "subject", "text", {"type": "alert.raised", "data": {"id": 7, "title": "Größe"}})


@pytest.fixture(autouse=True)
def _this_machine_is_allowed(settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]


def verified(post: Post, secret: str) -> object:
    """What a receiver does, after the text of Standard Webhooks: the payload, if the signature is the sender's."""
    key = base64.b64decode(secret[len("whsec_") :])
    signed = post.headers["webhook-id"].encode() + b"." + post.headers["webhook-timestamp"].encode() + b"." + post.body
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    versions = [part.split(",", 1) for part in post.headers["webhook-signature"].split(" ")]
    assert any(version == "v1" and hmac.compare_digest(given, expected) for version, given in versions)
    assert abs(time.time() - int(post.headers["webhook-timestamp"])) < 300
    return json.loads(post.body)


def test_it_signs_what_it_sends() -> None:
    with web_receiver() as receiver:
        Webhook().send(receiver.url, SECRET, MESSAGE)
    [post] = receiver.posts
    assert verified(post, SECRET) == MESSAGE.payload
    assert (post.target, post.headers["content-type"]) == ("/hooks/andon?for=plant", "application/json")
    assert post.headers["webhook-id"] == "msg_1"


@pytest.mark.parametrize("change", ["body", "id", "secret"])
def test_a_forged_delivery_is_caught(change: str) -> None:
    """The control: the check above fails for a changed body, another id, another secret."""
    with web_receiver() as receiver:
        Webhook().send(receiver.url, SECRET, MESSAGE)
    [post] = receiver.posts
    if change == "body":
        post = replace(post, body=post.body.replace(b"7", b"8"))
    if change == "id":
        post = replace(post, headers={**post.headers, "webhook-id": "msg_2"})
    secret = "whsec_" + base64.b64encode(b"x" * 32).decode() if change == "secret" else SECRET
    with pytest.raises(AssertionError):
        verified(post, secret)


@pytest.mark.parametrize("number", [200, 201, 202, 204])
def test_it_takes_any_2xx_for_delivery(number: int) -> None:
    with web_receiver(status(number)) as receiver:
        Webhook().send(receiver.url, SECRET, MESSAGE)


@pytest.mark.parametrize("number", [408, 425, 429, 500, 502, 503, 504])
def test_it_may_work_later(number: int) -> None:
    with (
        web_receiver(status(number, "Retry-After: 1000000000")) as receiver,
        pytest.raises(TemporaryFailure, match=str(number)),
    ):
        Webhook().send(receiver.url, SECRET, MESSAGE)


@pytest.mark.parametrize("number", [400, 401, 404, 405, 410, 413, 422])
def test_it_will_never_work(number: int) -> None:
    with web_receiver(status(number)) as receiver, pytest.raises(PermanentFailure, match=str(number)):
        Webhook().send(receiver.url, SECRET, MESSAGE)


@pytest.mark.parametrize("number", [301, 302, 307, 308])
def test_it_follows_no_redirect(number: int) -> None:
    with web_receiver() as elsewhere:
        redirect = status(number, f"Location: {elsewhere.url}")
        with web_receiver(redirect) as receiver, pytest.raises(PermanentFailure, match=str(number)):
            Webhook().send(receiver.url, SECRET, MESSAGE)
        assert elsewhere.posts == []


def test_it_leaves_an_endless_answer_unread() -> None:
    began = time.monotonic()
    with web_receiver(endless) as receiver:
        Webhook().send(receiver.url, SECRET, MESSAGE)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("answer", [dripping, silent], ids=["byte by byte", "silent"])
def test_it_waits_for_a_bounded_time_however_the_answer_comes(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    monkeypatch.setattr(webhook, "_TIMEOUT_S", 0.3)
    began = time.monotonic()
    with web_receiver(answer) as receiver, pytest.raises(TemporaryFailure, match=r"127\.0\.0\.1 did not answer"):
        Webhook().send(receiver.url, SECRET, MESSAGE)
    assert time.monotonic() - began < 3


def test_it_may_work_later_where_nobody_listens() -> None:
    with web_receiver() as receiver:
        url = receiver.url
    with pytest.raises(TemporaryFailure):
        Webhook().send(url, SECRET, MESSAGE)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64"])
def test_it_sends_nothing_without_a_secret_that_signs(secret: str) -> None:
    with web_receiver() as receiver:
        with pytest.raises(PermanentFailure, match="signing secret"):
            Webhook().send(receiver.url, secret, MESSAGE)
        assert receiver.posts == []


@pytest.mark.parametrize("path", ["/a b", "/a\r\nX-Forged: 1"])
def test_it_lets_no_address_write_headers(path: str) -> None:
    with web_receiver() as receiver:
        try:
            Webhook().send(receiver.url.split("/hooks")[0] + path, SECRET, MESSAGE)
        except PermanentFailure:
            assert receiver.posts == []
        assert all("x-forged" not in post.headers for post in receiver.posts)
