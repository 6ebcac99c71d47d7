"""A signed-in browser without a browser: Django's client as one of the cast."""

from __future__ import annotations

from django.test import Client

from tests.cast import Member


def signed_in(member: Member) -> Client:
    """A client with the member's session."""
    client = Client()
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def at(member: Member, path: str = "") -> str:
    """The address of a page of the member's tenant."""
    return f"/t/{member.tenant.slug}/{path}"
