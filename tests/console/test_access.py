"""The door of tenant pages, the root and the sign-in."""

from __future__ import annotations

import pytest
from django.test import Client

from partners.services import tenant_ensure, user_ensure
from tests.cast import PASSWORD, Member
from tests.console.pages import at, signed_in

PAGES = ["", "alerts/", "dead-letters/", "runs/", "catalogue/", "connect/"]


@pytest.mark.parametrize("path", PAGES)
def test_it_asks_a_visitor_to_sign_in_and_comes_back(owner: Member, path: str) -> None:
    answer = Client().get(at(owner, path))
    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next={at(owner, path)}"


@pytest.mark.parametrize("path", PAGES)
def test_it_shows_members_their_tenant(owner: Member, path: str) -> None:
    answer = signed_in(owner).get(at(owner, path))
    assert answer.status_code == 200
    assert "Aster Foods" in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_a_foreign_tenant_looks_like_one_that_never_was(owner: Member, stranger: Member, path: str) -> None:
    client = signed_in(stranger)
    foreign, unknown = client.get(at(owner, path)), client.get(f"/t/never-was/{path}")
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert "Aster" not in foreign.text


def test_a_part_of_a_page_sends_the_whole_page_to_sign_in(owner: Member) -> None:
    answer = Client().get(at(owner), headers={"HX-Request": "true", "HX-Current-URL": at(owner)})
    assert answer.status_code == 204
    assert answer["HX-Redirect"] == f"/accounts/login/?next={at(owner)}"


def test_a_missing_right_says_which_roles_hold_it(observer: Member) -> None:
    answer = signed_in(observer).get(at(observer, "catalogue/processes/new/"))
    assert answer.status_code == 403
    assert "lacks the right to edit catalogue; these roles have it" in answer.text


def test_the_rail_leaves_out_what_a_role_may_not_use(owner: Member, observer: Member) -> None:
    assert at(owner, "connect/") in signed_in(owner).get(at(owner)).text
    assert at(observer, "connect/") not in signed_in(observer).get(at(observer)).text
    assert signed_in(observer).get(at(observer, "connect/")).status_code == 403


def test_the_root_leads_to_the_tenant_looked_at_last(owner: Member) -> None:
    client = signed_in(owner)
    assert client.get("/")["Location"] == at(owner)
    client.get(at(owner))
    assert client.session["tenant"] == "aster-foods"


def test_the_root_says_when_no_tenant_is_assigned(owner: Member) -> None:
    tenant_ensure(partner=owner.tenant.partner, name="Nobody's", actor="system:tests")
    user, _ = user_ensure(email="new@aster.example", password=PASSWORD, actor="system:tests")
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert "No tenant is assigned to you" in client.get("/").text


def test_signing_in_leads_back_to_the_page_asked_for(owner: Member) -> None:
    form = {"login": "owner@aster.example", "password": PASSWORD, "next": at(owner, "runs/")}
    answer = Client().post("/accounts/login/", form)
    assert answer["Location"] == at(owner, "runs/")


def test_a_wrong_password_is_told_without_saying_which_part_is_wrong(owner: Member) -> None:
    wrong = Client().post("/accounts/login/", {"login": "owner@aster.example", "password": "not it at all"})
    nobody = Client().post("/accounts/login/", {"login": "nobody@aster.example", "password": "not it at all"})
    assert 'role="alert"' in wrong.text
    assert wrong.context["form"].non_field_errors() == nobody.context["form"].non_field_errors()


def test_nobody_makes_an_account_for_themselves(db: None) -> None:
    assert "Accounts are made by administrators" in Client().get("/accounts/signup/").text


def test_pages_forbid_inline_scripts_and_styles(owner: Member) -> None:
    answer = signed_in(owner).get(at(owner))
    policy = answer["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy
    assert " style=" not in answer.text
    assert "<style" not in answer.text
    assert "<script>" not in answer.text
