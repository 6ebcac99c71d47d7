"""Every write of a governed table leaves an entry, by whatever way it came; without an actor it fails."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.utils import Error as DatabaseError

from governance.models import AuditEntry
from monitoring.models import Process
from partners.models import Tenant
from partners.scope import INSTALLATION, NoTenantScope, ScopeConflict, installation_scope, tenant_scope
from tests import rows
from tests.cast import Member


def test_it_says_who_did_what_to_which_row_and_why(owner: Member) -> None:
    with owner.scope():
        process = rows.make_process(name="Order release")
    with tenant_scope(owner.tenant.pk, actor="user:7", on_behalf_of="user:8", reason="renamed by the plant"):
        process.name = "Order release Ulm"
        process.save()
    with owner.scope():
        entry = AuditEntry.objects.filter(object_type="monitoring_process").latest("id")
    assert (entry.actor, entry.on_behalf_of, entry.action) == ("user:7", "user:8", "update")
    assert (entry.object_id, entry.reason) == (str(process.pk), "renamed by the plant")
    assert (entry.before["name"], entry.after["name"]) == ("Order release", "Order release Ulm")


def test_it_sees_bulk_updates_and_plain_sql(owner: Member) -> None:
    with owner.scope():
        rows.make_process()
        rows.make_process()
        before = AuditEntry.objects.count()
        Process.objects.update(regulated=True)
        assert AuditEntry.objects.count() == before + 2
        with connection.cursor() as cursor:
            cursor.execute("UPDATE monitoring_process SET regulated = false")
        assert AuditEntry.objects.count() == before + 4


def test_a_write_that_changes_nothing_leaves_no_entry(owner: Member) -> None:
    with owner.scope():
        process = rows.make_process()
        before = AuditEntry.objects.count()
        process.save()
        assert AuditEntry.objects.count() == before


def test_a_write_that_is_rolled_back_leaves_no_entry(owner: Member) -> None:
    with owner.scope():
        with transaction.atomic():
            rows.make_process(slug="undone")
            transaction.set_rollback(True)
        assert not AuditEntry.objects.filter(after__slug="undone").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO partners_site (tenant_id, slug, name, zone) VALUES (%(tenant)s, 'x', 'X', 'UTC')",
        "UPDATE monitoring_process SET name = 'X'",
        "DELETE FROM monitoring_process",
        "UPDATE partners_tenant SET name = 'X'",
        "UPDATE partners_user SET is_staff = true",
        "DELETE FROM partners_membership",
    ],
)
def test_a_write_without_an_actor_fails(owner: Member, statement: str) -> None:
    with owner.scope():
        rows.make_process()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL app.actor = ''")
        with pytest.raises(DatabaseError, match="nobody is named as the actor"), transaction.atomic():
            cursor.execute(statement, {"tenant": owner.tenant.pk})


def test_tenant_data_outside_a_scope_is_refused_as_in_a_shell(owner: Member) -> None:
    with pytest.raises(NoTenantScope):
        Process.objects.create(slug="x", name="X")
    with pytest.raises(NoTenantScope):
        Process.objects.update(name="X")


def test_a_bulk_update_in_a_scope_without_an_actor_fails(owner: Member) -> None:
    with owner.scope():
        rows.make_process()
    with pytest.raises(DatabaseError, match="nobody is named"), tenant_scope(owner.tenant.pk, actor=""):
        Process.objects.update(regulated=True)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE governance_auditentry SET actor = 'user:1'",
        "DELETE FROM governance_auditentry",
        "TRUNCATE governance_auditentry",
        "DROP TABLE governance_auditentry",
        "ALTER TABLE monitoring_process DISABLE TRIGGER audit",
        "DROP TRIGGER audit ON monitoring_process",
        "SET session_replication_role = replica",
    ],
)
def test_the_trail_cant_be_changed_or_switched_off_by_the_app(owner: Member, statement: str) -> None:
    refused = pytest.raises(DatabaseError, match=r"permission denied|must be owner")
    with owner.scope(), connection.cursor() as cursor, refused, transaction.atomic():
        cursor.execute(statement)


def test_a_password_leaves_only_the_word_that_it_changed(owner: Member) -> None:
    with installation_scope(actor="system:tests"):
        owner.user.set_password("another long password")
        owner.user.save()
        entry = AuditEntry.objects.filter(object_type="partners_user", action="update").latest("id")
    assert (entry.before["password"], entry.after["password"]) == ("(hidden)", "(changed)")


def test_a_webhooks_secret_never_stands_in_the_trail(owner: Member) -> None:
    with owner.scope():
        channel = rows.make_channel(kind="webhook", secret="whsec_verysecret")
        channel.delete()
        told = "".join(str((entry.before, entry.after)) for entry in AuditEntry.objects.all())
    assert "verysecret" not in told


def test_entries_above_the_tenants_belong_to_the_installation(owner: Member) -> None:
    with installation_scope(actor="system:tests"):
        Tenant.objects.filter(pk=owner.tenant.pk).update(name="Aster Foods SE")
        entry = AuditEntry.objects.filter(object_type="partners_tenant").latest("id")
        assert (entry.tenant_id, entry.after["name"]) == (INSTALLATION, "Aster Foods SE")
    with owner.scope():
        assert not AuditEntry.objects.filter(object_type="partners_tenant").exists()


def test_a_scope_of_another_tenant_cant_be_opened_inside_one(owner: Member, stranger: Member) -> None:
    with owner.scope(), pytest.raises(ScopeConflict), stranger.scope():
        pass


def test_after_an_inner_scope_the_outer_actor_counts_again(owner: Member) -> None:
    with owner.scope():
        with tenant_scope(owner.tenant.pk, actor="user:99"):
            rows.make_process(slug="inner")
        rows.make_process(slug="outer")
        actors = {entry.after["slug"]: entry.actor for entry in AuditEntry.objects.filter(after__has_key="regulated")}
    assert actors == {"inner": "user:99", "outer": f"user:{owner.user.pk}"}
