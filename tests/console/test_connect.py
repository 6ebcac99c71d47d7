"""The Connect page: keys, snippets, refusals."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from console.snippets import PLACEHOLDER, snippets
from monitoring.models import IntakeOutcome
from partners.keys import find_holder
from partners.models import IngestKey
from partners.models.keys import KeyKind
from tests import rows
from tests.cast import Member
from tests.console.pages import at, signed_in


def _issued(owner: Member) -> str:
    answer = signed_in(owner).post(at(owner, "connect/keys/"), {"label": "n8n Hamburg"})
    assert answer["Cache-Control"] == "no-store"
    key: str = answer.context["new_key"]
    assert answer.text.count(key) == 1 + len(snippets("", key))
    return key


def test_a_new_key_is_shown_once_and_stands_in_every_snippet(owner: Member) -> None:
    key = _issued(owner)
    holder = find_holder(KeyKind.INGEST, key)
    assert holder is not None
    assert holder.tenant_id == owner.tenant.pk
    again = signed_in(owner).get(at(owner, "connect/")).text
    assert key not in again
    assert again.count(f"Bearer {PLACEHOLDER}") + again.count(f"Bearer%20{PLACEHOLDER}") == len(snippets("", "k"))


def test_a_revoked_key_opens_nothing(owner: Member) -> None:
    key = _issued(owner)
    with owner.scope():
        row = IngestKey.objects.get(label="n8n Hamburg")
    signed_in(owner).post(at(owner, f"connect/keys/{row.pk}/revoke/"))
    assert find_holder(KeyKind.INGEST, key) is None


def test_only_who_manages_keys_issues_and_revokes(owner: Member, colleague: Member, stranger: Member) -> None:
    key = _issued(owner)
    with owner.scope():
        row = IngestKey.objects.get(label="n8n Hamburg")
    page = signed_in(colleague).get(at(colleague, "connect/"))
    assert page.status_code == 200
    assert "n8n Hamburg" not in page.text
    assert signed_in(colleague).post(at(colleague, "connect/keys/"), {"label": "mine"}).status_code == 403
    assert signed_in(colleague).post(at(colleague, f"connect/keys/{row.pk}/revoke/")).status_code == 403
    assert signed_in(stranger).post(at(stranger, f"connect/keys/{row.pk}/revoke/")).status_code == 404
    assert find_holder(KeyKind.INGEST, key) is not None


def test_a_key_without_a_label_is_refused_in_plain_words(owner: Member) -> None:
    answer = signed_in(owner).post(at(owner, "connect/keys/"), {"label": " "})
    assert answer.status_code == 422
    assert "Say what will send with this key" in answer.text


def test_it_waits_for_the_first_event_and_says_when_it_has_come(owner: Member) -> None:
    client = signed_in(owner)
    assert "Waiting for the first event" in client.get(at(owner, "connect/")).text
    with owner.scope():
        rows.make_intake(received_at=timezone.now(), items=3)
    part = client.get(at(owner, "connect/"), headers={"HX-Request": "true"}).text
    assert "Receiving" in part
    assert "1 in the last hour with 3 items" in part
    assert "<html" not in part


def test_it_shows_what_was_refused_in_the_last_day(owner: Member, stranger: Member) -> None:
    now = timezone.now()
    for member, ago, reason in (
        (owner, 1, "trace_id is 8 bytes, 16 are needed"),
        (owner, 30, "long ago"),
        (stranger, 1, "a stranger's"),
    ):
        with member.scope():
            IntakeOutcome.objects.create(
                hour=now - timedelta(hours=ago), signal="traces", status=400, reason=reason, requests=1
            )
    page = signed_in(owner).get(at(owner, "connect/")).text
    assert "trace_id is 8 bytes, 16 are needed" in page
    assert "long ago" not in page
    assert "a stranger" not in page
