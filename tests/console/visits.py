"""Visits of the cast to pages of a tenant, their own or another's, with and without htmx."""

from __future__ import annotations

from typing import Any

from tests.cast import Member
from tests.console.pages import signed_in


def visit(member: Member, path: str, *, tenant: str = "", htmx: bool = False) -> Any:
    """Open a page below `/t/<tenant>/`; without `tenant` it is the member's own."""
    return signed_in(member).get(_address(member, path, tenant), headers=_headers(htmx=htmx))


def submit(member: Member, path: str, **fields: object) -> Any:
    """Send a form as the browser does by itself."""
    return signed_in(member).post(_address(member, path, ""), fields)


def submit_by_htmx(member: Member, path: str, **fields: object) -> Any:
    """Send a form as htmx does."""
    return signed_in(member).post(_address(member, path, ""), fields, headers=_headers(htmx=True))


def text_of(answer: Any) -> str:
    """The page as it was written."""
    text: str = answer.content.decode()
    return text


def main_of(answer: Any) -> str:
    """The page without its frame."""
    text = text_of(answer)
    return text[text.index("<main") : text.index("</main>")]


def _address(member: Member, path: str, tenant: str) -> str:
    return f"/t/{tenant or member.tenant.slug}/{path}"


def _headers(*, htmx: bool) -> dict[str, str]:
    return {"HX-Request": "true"} if htmx else {}
