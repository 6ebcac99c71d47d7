"""The Storage page: sizes, growth, holds, and other tenants only for who runs them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils.formats import date_format

from monitoring.models import IntakeDay, LegalHold
from monitoring.selectors.storage import storage
from partners.roles import Role
from tests.cast import Member, make_member, make_tenant
from tests.console.visits import main_of, submit, visit

TODAY = datetime.now(UTC).date()
MB = 1024 * 1024


def make_day(day: date, stored: int, signal: str = "traces") -> None:
    IntakeDay.objects.create(
        day=day, signal=signal, requests=10, items=500, bytes=3 * stored, bytes_stored=stored, counted_to=0
    )


def test_it_says_what_is_kept_and_how_fast_it_grows(owner: Member) -> None:
    with owner.scope():
        for ago, stored in {0: 1, 1: 6, 2: 8, 40: 100}.items():
            make_day(TODAY - timedelta(days=ago), stored * MB)
        make_day(TODAY, MB, "logs")
        found = storage(owner.viewer, TODAY)
    assert (found.bytes_kept, found.growth, found.requests_kept) == (116 * MB, 7 * MB, 50)
    assert [(row.day, row.requests, row.bytes_stored) for row in found.days][:1] == [(TODAY, 20, 2 * MB)]
    assert len(found.days) == 3
    page = main_of(visit(owner, "storage/"))
    assert "116.0\xa0MB of Aster Foods kept, growing by 7.0\xa0MB a day" in page
    assert "2.7\xa0GB" in page
    assert date_format(TODAY - timedelta(days=40), "j M Y") in page


def test_it_says_what_will_stand_there(owner: Member, supplier: Member) -> None:
    page = main_of(visit(owner, "storage/"))
    assert "Nothing is kept yet" in page
    assert "No request in 30 days" in page
    with owner.scope():
        make_day(TODAY, MB)
    assert "No request in 30 days" in main_of(visit(supplier, "storage/"))


def test_a_hold_is_placed_and_released_on_it(owner: Member) -> None:
    answer = submit(owner, "storage/holds/", since="2026-03-01", until="2026-03-31", reason="recall 12")
    assert answer.status_code == 302
    page = main_of(visit(owner, "storage/"))
    assert "1 in force" in page
    assert "1 Mar 2026 to 31 Mar 2026" in page
    with owner.scope():
        hold = LegalHold.objects.get()
    submit(owner, f"storage/holds/{hold.pk}/release/")
    assert "none in force" in main_of(visit(owner, "storage/"))


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"reason": "x"}, "Say from which day on."),
        ({"since": "2026-02-30", "reason": "x"}, "Say from which day on."),
        ({"since": "2026-03-01"}, "Say what it is for"),
        ({"since": "2026-03-01", "until": "soon", "reason": "x"}, "This is no date"),
        ({"since": "2026-03-02", "until": "2026-03-01", "reason": "x"}, "ends before it begins"),
    ],
)
def test_it_says_what_is_wrong_with_a_hold(owner: Member, form: dict[str, str], words: str) -> None:
    answer = submit(owner, "storage/holds/", **form)
    assert answer.status_code == 422
    assert words in main_of(answer)


def test_only_who_may_sees_places_and_releases_holds(owner: Member, colleague: Member, stranger: Member) -> None:
    officer = make_member(owner.tenant, Role.COMPLIANCE_OFFICER, "officer@aster.example")
    assert submit(officer, "storage/holds/", since="2026-03-01", reason="recall 12").status_code == 302
    with owner.scope():
        hold = LegalHold.objects.get()
    assert "recall 12" not in main_of(visit(colleague, "storage/"))
    assert submit(colleague, "storage/holds/", since="2026-03-01", reason="x").status_code == 403
    assert submit(colleague, f"storage/holds/{hold.pk}/release/").status_code == 403
    assert "recall 12" not in main_of(visit(stranger, "storage/"))
    assert submit(stranger, f"storage/holds/{hold.pk}/release/").status_code == 404
    assert visit(stranger, "storage/", tenant=owner.tenant.slug).status_code == 404


@pytest.mark.django_db(transaction=True, databases=["default", "fleet"])
def test_a_provider_sees_its_tenants_side_by_side_and_no_other_does() -> None:
    first = make_member(make_tenant("Aster Foods"), Role.TENANT_ADMIN, "owner@aster.example")
    second = make_member(make_tenant("Borealis Pharma"), Role.TENANT_ADMIN, "owner@borealis.example")
    operator = make_member(first.tenant, Role.PARTNER_OPERATOR, "desk@northwind.example")
    for member, stored in ((first, 3), (second, 5)):
        with member.scope():
            for ago in (0, 1):
                make_day(TODAY - timedelta(days=ago), stored * MB)
    page = main_of(visit(operator, "storage/"))
    assert page.index("Borealis Pharma") < page.index("Aster Foods</a>")
    assert "10.0\xa0MB" in page
    assert "5.0\xa0MB" in page
    assert "Borealis Pharma" not in main_of(visit(first, "storage/"))
