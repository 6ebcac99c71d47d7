"""audit/: the trail over REST, for reading only."""

from __future__ import annotations

from tests import rows
from tests.cast import Member


def test_an_entry_shows_before_and_after(owner: Member) -> None:
    site = owner.post("sites/", {"slug": "ulm", "name": "Ulm"}).json()
    owner.patch(f"sites/{site['id']}/", {"name": "Ulm West"})
    (entry,) = owner.get("audit/", object_type="partners_site", action="update").json()["results"]
    assert (entry["actor"], entry["object_id"]) == (f"user:{owner.user.pk}", str(site["id"]))
    assert (entry["before"]["name"], entry["after"]["name"]) == ("Ulm", "Ulm West")
    assert owner.get(f"audit/{entry['id']}/").json() == entry


def test_entries_are_filtered_by_when_they_were_written(owner: Member) -> None:
    owner.post("sites/", {"slug": "ulm", "name": "Ulm"})
    now = owner.get("audit/").json()["results"][0]["at"]
    assert owner.get("audit/", until=now, object_type="partners_site").json()["results"] == []
    assert len(owner.get("audit/", since=now).json()["results"]) == 1


def test_nobody_writes_into_the_trail(owner: Member) -> None:
    with owner.scope():
        rows.make_site()
    entry = owner.get("audit/").json()["results"][0]
    assert owner.post("audit/", {"actor": "user:1"}).status_code == 405
    assert owner.patch(f"audit/{entry['id']}/", {"actor": "user:1"}).status_code == 405
    assert owner.delete(f"audit/{entry['id']}/").status_code == 405
