"""`manage.py provision`: makes what is missing, finds the rest, and shows a secret once."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from partners.keys import find_holder
from partners.models import Membership, Tenant, User
from partners.models.keys import KeyKind

pytestmark = pytest.mark.django_db

_TENANT = ("--partner", "Northwind Services", "--tenant", "Aster Foods")
_PERSON = ("--user", "owner@aster.example", "--role", "tenant_admin")


def _provision(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("provision", *_TENANT, *arguments, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_it_prints_names_and_secrets() -> None:
    made = _provision("--site", "Ulm", *_PERSON)
    assert list(made) == ["partner", "tenant", "site", "ingest_key", "api_token", "user", "password"]
    assert (made["partner"], made["tenant"], made["site"]) == ("northwind-services", "aster-foods", "ulm")
    tenant = Tenant.objects.get(slug="aster-foods")
    ingest, api = find_holder(KeyKind.INGEST, made["ingest_key"]), find_holder(KeyKind.API, made["api_token"])
    user = User.objects.get(email="owner@aster.example")
    assert ingest is not None
    assert api is not None
    assert (ingest.tenant_id, api.tenant_id, api.user_id) == (tenant.pk, tenant.pk, user.pk)
    assert user.check_password(made["password"])
    assert Membership.objects.get(user=user).role == "tenant_admin"


def test_a_second_call_makes_nothing_and_shows_no_secret() -> None:
    _provision(*_PERSON)
    again = _provision(*_PERSON)
    assert (again["ingest_key"], again["api_token"], again["password"]) == (None, None, None)
    assert (Tenant.objects.count(), User.objects.count()) == (1, 1)


def test_without_a_person_the_token_is_the_tenants() -> None:
    made = _provision()
    holder = find_holder(KeyKind.API, made["api_token"])
    assert holder is not None
    assert holder.user_id is None
    assert (made["user"], made["password"], made["site"]) == (None, None, None)


def test_rotating_makes_new_secrets_and_ends_the_old() -> None:
    first = _provision(*_PERSON)
    second = _provision(*_PERSON, "--rotate")
    for kind, name in ((KeyKind.INGEST, "ingest_key"), (KeyKind.API, "api_token")):
        assert find_holder(kind, first[name]) is None
        assert find_holder(kind, second[name]) is not None
    user = User.objects.get(email="owner@aster.example")
    assert user.check_password(second["password"])
    assert not user.check_password(first["password"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--user", "owner@aster.example"), "--user and --role go together"),
        (("--role", "executive"), "--user and --role go together"),
        (("--user", "nobody", "--role", "executive"), "'nobody' is no e-mail address"),
        (("--site", "x" * 121), "--site has 121 characters"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(arguments: tuple[str, ...], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        _provision(*arguments)
    assert not Tenant.objects.exists()


def test_people_can_read_it() -> None:
    out = StringIO()
    call_command("provision", *_TENANT, stdout=out)
    assert "Keep the secrets now: they are not shown again." in out.getvalue()
    out = StringIO()
    call_command("provision", *_TENANT, stdout=out)
    assert "made earlier and not shown again; --rotate makes a new one" in out.getvalue()
