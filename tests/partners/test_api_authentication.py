"""Who gets in: tokens, sessions, and nobody else; what is taken away is gone with the next request."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from partners.models import ApiToken, KeyDigest, Membership
from partners.roles import Role
from partners.scope import installation_scope
from partners.services import api_token_issue, ingest_key_issue, key_revoke, membership_ensure
from tests import rows
from tests.cast import Member, make_tenant


def _status(token: str) -> int:
    client = Client(headers={"Authorization": f"Bearer {token}"})
    return client.get("/api/v1/tenants/").status_code


def test_a_token_opens_its_tenant(owner: Member) -> None:
    results = owner.get("tenants/").json()["results"]
    assert [row["slug"] for row in results] == ["aster-foods"]


def test_nobody_is_told_how_to_sign_in(db: None) -> None:
    answer = Client().get("/api/v1/runs/")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="andon"')
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_authenticated"


@pytest.mark.parametrize("token", ["", "x", "andon_api_aaaaaaaaaa_" + "a" * 43, "andon_in_aaaaaaaaaa_" + "a" * 43])
def test_what_is_no_token_opens_nothing(db: None, token: str) -> None:
    assert _status(token) == 401


def test_a_token_with_one_letter_changed_opens_nothing(owner: Member) -> None:
    last = "A" if owner.token[-1] != "A" else "B"
    assert _status(owner.token[:-1] + last) == 401


def test_an_ingest_key_opens_no_api(owner: Member) -> None:
    _, key = ingest_key_issue(tenant_id=owner.tenant.pk, label="line 1", actor="system:tests")
    assert _status(key.text) == 401


def test_a_revoked_token_is_refused_at_once(owner: Member) -> None:
    with owner.scope():
        token = ApiToken.objects.get(user=owner.user)
    assert _status(owner.token) == 200
    key_revoke(key=token, actor="system:tests")
    assert _status(owner.token) == 401


def test_a_token_deleted_over_the_api_is_refused_at_once(owner: Member) -> None:
    made = owner.post("api-tokens/", {"label": "laptop"}).json()
    assert _status(made["token"]) == 200
    assert owner.delete(f"api-tokens/{made['id']}/").status_code == 204
    assert _status(made["token"]) == 401


def test_a_person_without_a_role_is_refused_at_once(owner: Member, colleague: Member) -> None:
    member = Membership.objects.get(user=colleague.user)
    assert _status(colleague.token) == 200
    assert owner.delete(f"members/{member.pk}/").status_code == 204
    assert _status(colleague.token) == 401


def test_an_inactive_person_is_refused_at_once(colleague: Member) -> None:
    with installation_scope(actor="system:tests"):
        colleague.user.is_active = False
        colleague.user.save()
    assert _status(colleague.token) == 401


def test_a_role_taken_away_ends_the_rights_of_tokens_made_with_it(owner: Member, colleague: Member) -> None:
    member = Membership.objects.get(user=colleague.user)
    with owner.scope():
        alert = rows.make_alert()
    owner.patch(f"members/{member.pk}/", {"role": "executive"})
    assert colleague.get(f"alerts/{alert.pk}/").status_code == 200
    assert colleague.post(f"alerts/{alert.pk}/acknowledge/").status_code == 403


def test_a_service_token_has_a_tenant_administrators_rights_and_no_person(owner: Member) -> None:
    _, new = api_token_issue(tenant_id=owner.tenant.pk, label="ci", actor="system:tests")
    service = Member(owner.user, owner.tenant, new.text)
    assert service.post("sites/", {"slug": "ulm", "name": "Ulm"}).status_code == 201
    assert service.post("api-tokens/", {"label": "mine", "kind": "own"}).status_code == 400
    entry = owner.get("audit/", object_type="partners_site").json()["results"][0]
    assert entry["actor"] == f"token:{new.prefix}"


def test_a_digest_revoked_in_the_database_counts_at_once(owner: Member) -> None:
    KeyDigest.objects.filter(user=owner.user).update(revoked_at=timezone.now())
    assert _status(owner.token) == 401


def test_a_token_ignores_no_parameter_it_does_not_know(owner: Member, stranger: Member) -> None:
    answer = owner.get("runs/", tenant=stranger.tenant.slug)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "tenant"


def test_only_who_manages_keys_sees_others_tokens(owner: Member, colleague: Member) -> None:
    assert {row["user"]["id"] for row in colleague.get("api-tokens/").json()["results"]} == {colleague.user.pk}
    assert {row["user"]["id"] for row in owner.get("api-tokens/").json()["results"]} == {
        owner.user.pk,
        colleague.user.pk,
    }
    assert colleague.post("api-tokens/", {"label": "all rights", "kind": "service"}).status_code == 403
    assert colleague.get("ingest-keys/").status_code == 403


def test_a_secret_is_in_the_answer_that_made_it_and_nowhere_else(owner: Member) -> None:
    made = owner.post("ingest-keys/", {"label": "line 1"}).json()
    secret = made["key"]
    told = owner.get("ingest-keys/").content + owner.get(f"ingest-keys/{made['id']}/").content
    told += owner.get("audit/", page_size="200").content
    assert secret.startswith("andon_in_")
    assert secret[-43:].encode() not in told


def _signed_in(member: Member, **options: bool) -> Client:
    client = Client(**options)  # type: ignore[arg-type]  # enforce_csrf_checks is a bool among other types.
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def test_a_session_works_in_the_only_tenant_it_has(owner: Member) -> None:
    assert _signed_in(owner).get("/api/v1/processes/").status_code == 200


def test_a_session_names_one_of_its_tenants(owner: Member) -> None:
    other = make_tenant("Cirrus Labs")
    membership_ensure(user=owner.user, role=Role.EXECUTIVE, tenant=other, actor="system:tests")
    with owner.scope():
        rows.make_process(slug="here")
    client = _signed_in(owner)
    assert client.get("/api/v1/processes/").json()["errors"][0]["detail"].startswith("Name the tenant")
    assert len(client.get("/api/v1/processes/?tenant=aster-foods").json()["results"]) == 1
    assert client.get("/api/v1/processes/?tenant=cirrus-labs").json()["results"] == []
    session = client.session
    session["tenant"] = "cirrus-labs"
    session.save()
    assert client.get("/api/v1/processes/").json()["results"] == []
    assert len(client.get("/api/v1/tenants/").json()["results"]) == 2


def test_a_session_cant_name_a_foreign_tenant(owner: Member, stranger: Member) -> None:
    client = _signed_in(stranger)
    foreign = client.get("/api/v1/processes/?tenant=aster-foods")
    unknown = client.get("/api/v1/processes/?tenant=no-such-tenant")
    assert (foreign.status_code, foreign.content) == (404, unknown.content)


def test_a_write_by_session_needs_the_csrf_token(owner: Member) -> None:
    client = _signed_in(owner, enforce_csrf_checks=True)
    body = {"slug": "ulm", "name": "Ulm"}
    assert client.post("/api/v1/sites/", body, content_type="application/json").status_code == 403
    assert owner.post("sites/", body).status_code == 201


def test_a_person_of_another_tenant_is_neither_named_nor_enrolled(owner: Member, stranger: Member) -> None:
    answer = owner.post("members/", {"email": stranger.user.email, "role": "executive"})
    assert answer.status_code == 400
    assert "belongs to another organisation" in str(answer.json())
    assert str(stranger.user.name or "-") not in str(answer.json())
