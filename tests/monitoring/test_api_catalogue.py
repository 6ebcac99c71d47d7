"""The catalogue over REST: who may change it, what is refused, and that nothing beyond the named fields changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from monitoring.models import Process, Run
from monitoring.storage.counting import days_count
from tests import rows
from tests.cast import Member
from tests.scene import make_scene

_MADE = [
    ("sites/", {"slug": "ulm", "name": "Ulm", "zone": "Europe/Berlin"}),
    ("processes/", {"name": "Goods receipt"}),
    ("slas/", {"process": "order-release", "name": "Fast", "target_s": 60}),
    ("mapping-rules/", {"process": "order-release", "name": "By name", "condition": "span.name == 'release'"}),
    ("channels/", {"name": "Desk", "kind": "email", "target": "desk@aster.example"}),
    ("ingest-keys/", {"label": "Line 1"}),
    ("api-tokens/", {"label": "Laptop"}),
    ("members/", {"email": "new@aster.example", "role": "executive"}),
]


@pytest.fixture
def process(owner: Member) -> Process:
    """A process to hang things on."""
    with owner.scope():
        return rows.make_process(slug="order-release", name="Order release")


@pytest.mark.parametrize(("path", "body"), _MADE)
def test_a_tenant_an_id_and_other_protected_fields_in_a_body_are_ignored(
    owner: Member, stranger: Member, process: Process, path: str, body: dict[str, Any]
) -> None:
    forged = {
        "id": 4_000_000_000,
        "pk": 4_000_000_000,
        "tenant": stranger.tenant.pk,
        "tenant_id": stranger.tenant.pk,
        "tenant_slug": stranger.tenant.slug,
        "prefix": "forged",
        "created_by": "user:1",
        "revoked_at": "2020-01-01T00:00:00Z",
        "secret": "whsec_forged",
        "user": stranger.user.pk,
        "partner": 1,
    }
    made = owner.post(path, {**forged, **body})
    assert made.status_code == 201, made.content
    assert made.json()["id"] != 4_000_000_000
    assert "forged" not in made.content.decode()
    assert owner.get(f"{path}{made.json()['id']}/").status_code == 200
    assert stranger.get(f"{path}{made.json()['id']}/").status_code == 404


def test_a_change_touches_only_the_fields_named(owner: Member, stranger: Member, process: Process) -> None:
    body = {"criticality": "critical", "tenant": stranger.tenant.pk, "tenant_id": stranger.tenant.pk, "id": 1}
    changed = owner.patch(f"processes/{process.pk}/", body).json()
    assert (changed["id"], changed["criticality"], changed["name"]) == (process.pk, "critical", "Order release")


@pytest.mark.parametrize(
    ("method", "noun", "body"),
    [
        ("post", "sites/", {"slug": "x", "name": "X"}),
        ("post", "processes/", {"name": "X"}),
        ("patch", "processes/{processes}/", {"name": "X"}),
        ("delete", "processes/{processes}/", None),
        ("delete", "sites/{sites}/", None),
        ("patch", "slas/{slas}/", {"target_s": 1}),
        ("delete", "slas/{slas}/", None),
        ("patch", "mapping-rules/{mapping-rules}/", {"enabled": False}),
        ("delete", "mapping-rules/{mapping-rules}/", None),
        ("patch", "channels/{channels}/", {"enabled": False}),
        ("delete", "channels/{channels}/", None),
        ("post", "workflows/{workflows}/assign/", {"process": "1"}),
        ("post", "members/", {"email": "x@aster.example", "role": "executive"}),
        ("patch", "members/{members}/", {"role": "executive"}),
        ("delete", "members/{members}/", None),
        ("post", "ingest-keys/", {"label": "x"}),
        ("delete", "ingest-keys/{ingest-keys}/", None),
    ],
)
def test_who_only_looks_changes_nothing(
    owner: Member, observer: Member, method: str, noun: str, body: dict[str, Any] | None
) -> None:
    ids = make_scene(owner).ids
    with owner.scope():
        process = Process.objects.get(pk=ids["processes"])
    path = noun.format(**ids)
    if body == {"process": "1"}:
        body = {"process": process.slug}
    answer = getattr(observer, method)(path, *([body] if body is not None else []))
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_a_process_is_made_with_what_it_names(owner: Member) -> None:
    owner.post("sites/", {"slug": "ulm", "name": "Ulm"})
    body = {"name": "Order release", "site": "ulm", "owner": "OWNER@aster.example", "cost_per_hour": "12.50"}
    made = owner.post("processes/", body).json()
    assert (made["slug"], made["site"]["slug"], made["owner"]["id"]) == ("order-release", "ulm", owner.user.pk)
    assert made["cost_per_hour"] == "12.50"


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("processes/", {}, "#/name"),
        ("processes/", {"name": "X", "site": "nowhere"}, "#/site"),
        ("processes/", {"name": "X", "owner": "stranger@borealis.example"}, "#/owner"),
        ("processes/", {"name": "X", "criticality": "loud"}, "#/criticality"),
        ("processes/", {"name": "X", "cost_per_hour": "-1"}, "#/cost_per_hour"),
        ("processes/", {"name": "X\x00"}, "#/name"),
        ("sites/", {"slug": "x", "name": "X", "zone": "Mars/Olympus"}, "#/zone"),
        ("slas/", {"process": "order-release", "name": "X"}, "#/target_s"),
        ("slas/", {"process": "order-release", "name": "X", "kind": "due_time"}, "#/due_local"),
        ("slas/", {"process": "order-release", "name": "X", "kind": "due_time", "due_local": "25:00"}, "#/due_local"),
        ("slas/", {"process": "nothing", "name": "X", "target_s": 1}, "#/process"),
        ("mapping-rules/", {"process": "order-release", "name": "X", "condition": "spn.x == 1"}, "#/condition"),
        ("channels/", {"name": "X", "kind": "webhook", "target": "https://127.0.0.1/x"}, "#/target"),
        ("channels/", {"name": "X", "kind": "webhook", "target": "https://169.254.169.254/"}, "#/target"),
        ("channels/", {"name": "X", "kind": "email", "target": "nobody"}, "#/target"),
        ("members/", {"email": "x@aster.example", "role": "partner_admin"}, "#/role"),
    ],
)
def test_what_is_wrong_in_a_body_is_pointed_at(
    owner: Member, process: Process, path: str, body: dict[str, Any], pointer: str
) -> None:
    answer = owner.post(path, body)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_name_in_use_is_a_conflict(owner: Member, process: Process) -> None:
    again = owner.post("processes/", {"slug": "order-release", "name": "X"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_the_same_name_in_another_tenant_is_free(owner: Member, stranger: Member, process: Process) -> None:
    assert stranger.post("processes/", {"slug": "order-release", "name": "X"}).status_code == 201


def test_a_process_with_a_history_stays(owner: Member, process: Process) -> None:
    with owner.scope():
        rows.make_run(rows.make_workflow(process))
    refused = owner.delete(f"processes/{process.pk}/")
    assert refused.json()["detail"] == "'Order release' has runs; a process with a history stays."
    with owner.scope():
        Run.objects.all().delete()
    assert owner.delete(f"processes/{process.pk}/").status_code == 204


def test_a_site_with_a_process_stays(owner: Member) -> None:
    with owner.scope():
        site = rows.make_site()
        rows.make_process(site=site)
    refused = owner.delete(f"sites/{site.pk}/")
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "It is still in use by processes; move those first.",
    )


def test_an_automation_given_a_process_takes_its_runs_along(owner: Member, process: Process) -> None:
    with owner.scope():
        workflow = rows.make_workflow()
        run = rows.make_run(workflow)
    answer = owner.post(f"workflows/{workflow.pk}/assign/", {"process": "order-release", "reason": "told by the plant"})
    assert answer.json()["process"]["slug"] == "order-release"
    assert owner.get(f"runs/{run.pk}/").json()["process"]["id"] == process.pk


def test_a_webhooks_secret_is_shown_once_and_its_address_to_editors_only(owner: Member, observer: Member) -> None:
    body = {"name": "Hook", "kind": "webhook", "target": "https://93.184.215.14/hook/T0/secret-path"}
    made = owner.post("channels/", body).json()
    assert made["secret"].startswith("whsec_")
    shown = owner.get(f"channels/{made['id']}/").json()
    assert (shown["has_secret"], "secret" in shown) == (True, False)
    assert observer.get(f"channels/{made['id']}/").json()["target"] == "https://93.184.215.14/…"
    assert owner.patch(f"channels/{made['id']}/", {"enabled": False}).json()["secret"] is None
    renewed = owner.post(f"channels/{made['id']}/renew-secret/").json()["secret"]
    assert renewed not in (None, made["secret"])


def test_mapping_rules_come_last_unless_they_name_a_place(owner: Member, process: Process) -> None:
    rule = {"process": "order-release", "condition": "true"}
    places = [owner.post("mapping-rules/", {**rule, "name": name}).json()["position"] for name in ("a", "b")]
    first = owner.post("mapping-rules/", {**rule, "name": "c", "position": 0}).json()
    assert (places, first["position"]) == ([1, 2], 0)
    assert [row["name"] for row in owner.get("mapping-rules/").json()["results"]] == ["c", "a", "b"]


def test_usage_is_counted_by_day(owner: Member) -> None:
    with owner.scope():
        rows.make_intake(b"12345", items=3, rejected=1)
        rows.make_intake(b"1234567", items=2)
    days_count(owner.tenant.pk, rows.MORNING + timedelta(hours=1))
    period = {"since": "2026-11-20T00:00:00Z", "until": "2026-11-22T00:00:00Z"}
    assert owner.get("usage/", **period).json()["results"] == [
        {
            "day": "2026-11-21",
            "signal": "traces",
            "requests": 2,
            "items": 5,
            "bytes": 12,
            "bytes_stored": 12,
            "rejected_items": 1,
            "refused": 0,
        }
    ]
