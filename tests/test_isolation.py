"""No tenant sees, changes or learns of another's rows: over every route, through the ORM, and in plain SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models, transaction
from django.db.utils import Error as DatabaseError
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from psycopg import sql

from monitoring.selectors.runs import visible_runs
from monitoring.services.grants import process_grant, process_withdraw
from partners.checks import tenant_tables
from partners.models import TenantManager
from tests import rows
from tests.cast import Member
from tests.scene import Scene, make_scene

_UNKNOWN = 4_000_000_000
_PREFIX = "/api/v1/"
_METHODS = ("get", "post", "put", "patch", "delete")


def _operations() -> Iterator[tuple[str, str]]:
    """Every method and path of the API, as its own schema states them."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]  # drf-spectacular has no types here.
    schema = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # As above.
    for path, item in schema["paths"].items():
        for method in _METHODS:
            if method in item:
                yield method, path.removeprefix(_PREFIX)


def _of_objects() -> list[tuple[str, str]]:
    return [(method, path) for method, path in _operations() if "{id}" in path]


def _ask(member: Member, method: str, path: str) -> Any:
    return getattr(member, method)(path, *([{}] if method in ("post", "patch") else []))


@pytest.fixture
def scene(owner: Member) -> Scene:
    """The owner's rows."""
    return make_scene(owner)


@pytest.fixture
def others(stranger: Member) -> Scene:
    """The stranger's rows, so that finding nothing of the owner's is no accident of emptiness."""
    return make_scene(stranger)


@pytest.fixture
def unfiltered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ORM's own filter taken out: what is left is the database."""
    monkeypatch.setattr(TenantManager, "get_queryset", models.Manager.get_queryset)


def test_a_strangers_token_finds_no_object_of_another_tenant(scene: Scene, others: Scene, stranger: Member) -> None:
    for method, path in _of_objects():
        foreign = _ask(stranger, method, path.format(id=scene.ids[path.split("/")[0]]))
        unknown = _ask(stranger, method, path.format(id=_UNKNOWN))
        assert (method, path, foreign.status_code) == (method, path, 404)
        assert (foreign.content, foreign["Content-Type"]) == (unknown.content, unknown["Content-Type"])
        assert unknown.status_code == 404


def test_without_a_key_no_route_says_anything(scene: Scene) -> None:
    answers = {
        (method, path, getattr(Client(), method)(_PREFIX + path.format(id=1)).status_code)
        for method, path in _operations()
    }
    assert {status for _, _, status in answers} == {401}


def test_the_owner_finds_what_the_stranger_does_not(scene: Scene, owner: Member) -> None:
    for method, path in _of_objects():
        if method == "get":
            found = owner.get(path.format(id=scene.ids[path.split("/")[0]]))
            assert (path, found.status_code) == (path, 200)


def test_a_list_holds_rows_of_ones_own_tenant_only(
    scene: Scene, others: Scene, owner: Member, stranger: Member
) -> None:
    for path in [path for method, path in _operations() if method == "get" and "{" not in path]:
        mine, theirs = owner.get(path), stranger.get(path)
        assert (path, mine.status_code, theirs.status_code) == (path, 200, 200)
        results = theirs.json()["results"]
        assert results, f"{path} shows the stranger nothing, so it would prove nothing"
        assert scene.canary not in theirs.content.decode()
        assert others.canary not in mine.content.decode()
        assert scene.ids.get(path.rstrip("/")) not in {row["id"] for row in results if "id" in row}


@pytest.mark.parametrize("path", ["runs/", "events/", "alerts/", "dead-letters/"])
@pytest.mark.parametrize("name", ["process", "workflow", "site"])
def test_a_filter_by_a_foreign_object_equals_one_by_an_unknown(
    path: str, name: str, scene: Scene, others: Scene, stranger: Member
) -> None:
    noun = {"process": "processes", "workflow": "workflows", "site": "sites"}[name]
    foreign = stranger.get(path, **{name: str(scene.ids[noun])})
    assert foreign.json() == stranger.get(path, **{name: str(_UNKNOWN)}).json()
    assert foreign.json()["results"] == []


def test_a_body_that_names_a_foreign_object_is_answered_as_one_that_names_none(
    scene: Scene, others: Scene, owner: Member, stranger: Member
) -> None:
    bodies: list[tuple[str, dict[str, Any], str]] = [
        ("processes/", {"name": "Mine", "site": scene.ids["sites"]}, "site"),
        ("processes/", {"name": "Mine", "owner": owner.user.pk}, "owner"),
        ("slas/", {"name": "Mine", "target_s": 60, "process": scene.ids["processes"]}, "process"),
        ("mapping-rules/", {"name": "Mine", "condition": "true", "process": scene.ids["processes"]}, "process"),
        (f"workflows/{others.ids['workflows']}/assign/", {"process": scene.ids["processes"]}, "process"),
        (f"alerts/{others.ids['alerts']}/assign/", {"assignee": owner.user.pk}, "assignee"),
    ]
    for path, body, field in bodies:
        foreign = stranger.post(path, body)
        unknown = stranger.post(path, {**body, field: _UNKNOWN})
        assert foreign.status_code == unknown.status_code == 400, path
        told = foreign.content.decode().replace(str(body[field]), "?")
        assert told == unknown.content.decode().replace(str(_UNKNOWN), "?")


@pytest.mark.usefixtures("unfiltered")
def test_without_the_orms_filter_a_stranger_still_finds_nothing(scene: Scene, stranger: Member) -> None:
    for method, path in _of_objects():
        answer = _ask(stranger, method, path.format(id=scene.ids[path.split("/")[0]]))
        assert (method, path, answer.status_code) == (method, path, 404)


@pytest.mark.usefixtures("unfiltered")
def test_without_the_orms_filter_the_database_shows_no_foreign_row(
    scene: Scene, others: Scene, owner: Member, stranger: Member
) -> None:
    for model in _tenant_models():
        with owner.scope():
            mine = set(model._default_manager.values_list("pk", flat=True))
        with stranger.scope():
            theirs = set(model._default_manager.values_list("pk", flat=True))
        assert mine, f"{model.__name__} has no row to hide"
        assert not mine & theirs, model.__name__


def test_plain_sql_reads_changes_and_removes_no_foreign_row(
    scene: Scene, others: Scene, owner: Member, stranger: Member
) -> None:
    mine, theirs = owner.tenant.pk, stranger.tenant.pk
    for table in tenant_tables():
        with owner.scope():
            assert _count("tenant_id = %s", table, mine), f"{table} has no row to hide"
        with stranger.scope():
            assert _count("tenant_id = %s", table, mine) == 0
            assert _count("tenant_id <> %s", table, theirs) == 0
            assert _written("UPDATE {} SET tenant_id = tenant_id WHERE tenant_id = %s", table, mine) == 0
            assert _written("DELETE FROM {} WHERE tenant_id = %s", table, mine) == 0


def test_plain_sql_writes_no_row_into_another_tenant(
    scene: Scene, others: Scene, owner: Member, stranger: Member
) -> None:
    for table in tenant_tables():
        with owner.scope():
            row = {**_row(table), "id": _UNKNOWN}
        with stranger.scope(), pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            _execute("INSERT INTO {0} SELECT * FROM jsonb_populate_record(NULL::{0}, %s)", table, json.dumps(row))


def test_a_row_cant_be_moved_into_another_tenant(scene: Scene, others: Scene, owner: Member, stranger: Member) -> None:
    for table in tenant_tables():
        with stranger.scope(), pytest.raises(DatabaseError), transaction.atomic():
            _execute("UPDATE {} SET tenant_id = %s", table, owner.tenant.pk)


def test_a_foreign_key_cant_point_into_another_tenant(scene: Scene, others: Scene, stranger: Member) -> None:
    with stranger.scope(), pytest.raises(DatabaseError, match="tenant_fk"), transaction.atomic():
        _execute("UPDATE {} SET process_id = %s", "monitoring_workflow", scene.ids["processes"])


def test_outside_a_scope_no_row_exists(scene: Scene) -> None:
    _execute("SET LOCAL app.tenant_id = ''")
    assert [table for table in tenant_tables() if _count("true", table)] == []


@pytest.mark.parametrize("value", ["-1", "2147483647"])
def test_a_tenant_that_does_not_exist_has_no_rows(scene: Scene, value: str) -> None:
    _execute(f"SET LOCAL app.tenant_id = '{value}'")
    assert [table for table in tenant_tables() if _count("true", table)] == []


def test_the_installation_itself_has_its_own_trail_and_nothing_else(scene: Scene) -> None:
    _execute("SET LOCAL app.tenant_id = '0'")
    assert [table for table in tenant_tables() if _count("true", table)] == ["governance_auditentry"]
    assert _count("tenant_id <> 0", "governance_auditentry") == 0


def test_a_viewer_of_one_tenant_in_the_scope_of_another_sees_nothing(
    scene: Scene, owner: Member, stranger: Member
) -> None:
    with owner.scope():
        assert visible_runs(owner.viewer).count() == 1
        assert visible_runs(stranger.viewer).count() == 0


def test_a_supplier_sees_the_processes_granted_and_nothing_else(scene: Scene, owner: Member, supplier: Member) -> None:
    with owner.scope():
        granted = rows.make_process(name="granted")
        workflow = rows.make_workflow(granted)
        run = rows.make_run(workflow)
        process_grant(process=granted, user=supplier.user, viewer=owner.viewer)
    assert [row["id"] for row in supplier.get("processes/").json()["results"]] == [granted.pk]
    assert [row["id"] for row in supplier.get("runs/").json()["results"]] == [run.pk]
    for noun in ("alerts", "dead-letters", "events", "processes", "runs", "slas", "workflows"):
        assert supplier.get(f"{noun}/{scene.ids[noun]}/").status_code == 404
    for noun in ("audit", "brands", "channels", "mapping-rules", "sites"):
        assert supplier.get(f"{noun}/").json()["results"] == []
        assert supplier.get(f"{noun}/{scene.ids[noun]}/").status_code == 404
    with owner.scope():
        process_withdraw(process=granted, user=supplier.user, viewer=owner.viewer)
    assert supplier.get(f"runs/{run.pk}/").status_code == 404


def _tenant_models() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if isinstance(model._meta.default_manager, TenantManager)]


def _execute(statement: str, table: str = "", *values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(sql.Identifier(table)), values or None)
        return int(cursor.rowcount)


def _written(statement: str, table: str, *values: Any) -> int:
    """How many rows it wrote; a table that the app may not write at all counts none."""
    try:
        with transaction.atomic():
            return _execute(statement, table, *values)
    except DatabaseError as error:
        if "permission denied" not in str(error):
            raise
        return 0


def _count(condition: str, table: str, *values: Any) -> int:
    with connection.cursor() as cursor:
        counted = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(sql.Identifier(table), sql.SQL(condition))
        cursor.execute(counted, values or None)
        return int(cursor.fetchone()[0])


def _row(table: str) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT to_jsonb(t)::text FROM {} t LIMIT 1").format(sql.Identifier(table)))
        found: dict[str, Any] = json.loads(cursor.fetchone()[0])
        return found
