"""Bodies that are no use: each is refused as a problem that says why, and none is a server's fault."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.cast import Member


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("", "application/json", 400),
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ("null", "application/json", 400),
        ("7", "application/json", 400),
        ("[" * 100_000, "application/json", 400),
        ('{"slug": "x", "name": NaN}', "application/json", 400),
        ('{"slug": "x", "name": "\\u0000"}', "application/json", 400),
        ('{"slug": "x", "name": "\\ud800"}', "application/json", 400),
        ('{"slug": "x", "name": {"a": 1}}', "application/json", 400),
        ('{"slug": "x", "name": "' + "x" * 121 + '"}', "application/json", 400),
        ('{"slug": "../x", "name": "x"}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        ("slug=x&name=x", "application/x-www-form-urlencoded", 415),
        ('{"slug": "x", "name": "x"}', "text/plain", 415),
    ],
)
def test_it_is_refused_as_a_problem(owner: Member, body: str | bytes, content_type: str, status: int) -> None:
    client = Client(headers={"Authorization": f"Bearer {owner.token}"})
    answer = client.post("/api/v1/sites/", body, content_type=content_type)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert answer.json().keys() >= {"type", "title", "status", "detail", "code"}


@pytest.mark.parametrize("path", ["nothing/", "sites/1/nothing/", "sites", "%0a/", "sites/x%0d%0ay/"])
def test_a_body_for_an_address_that_is_not_there_is_told_so(owner: Member, path: str) -> None:
    client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {owner.token}"})
    answer = client.post(f"/api/v1/{path}", "{}", content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_what_a_route_takes_can_be_asked(owner: Member) -> None:
    client = Client(headers={"Authorization": f"Bearer {owner.token}"})
    assert client.options("/api/v1/sites/").status_code == 200
    assert client.head("/api/v1/sites/").status_code == 200


def test_the_schema_is_open_to_all(db: None) -> None:
    assert Client().get("/api/schema/", {"format": "json"}).json()["info"]["title"] == "Andon"
