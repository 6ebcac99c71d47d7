"""Migration operations that give a table its keys, policies, grants and audit trigger.

`TenantTable` is the one way a table with a tenant comes to be: after Django has made it, the operation puts tenant_id
in front of its primary and foreign keys, forces row-level security, and grants the app role what it may do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

READ_WRITE = ("SELECT", "INSERT", "UPDATE", "DELETE")
#: PostgreSQL's words for Django's on_delete; a foreign key with tenant_id in it may null its own column only.
_ON_DELETE = {models.CASCADE: "CASCADE", models.SET_NULL: "SET NULL ({column})", models.PROTECT: "NO ACTION"}
_TENANT = "nullif(current_setting('app.tenant_id', true), '')::int"


class _TableOperation(Operation):
    """Something done to the table of a model that an earlier operation made."""

    reduces_to_sql = True
    reversible = True

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The model's state is Django's own; only the database changes."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        for statement in self.statements(model):
            schema_editor.execute(statement)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Dropping the table, which the reverse of CreateModel does, takes keys and policies with it."""

    model_name: str

    def statements(self, model: type[models.Model]) -> Sequence[str]:
        raise NotImplementedError


class TenantTable(_TableOperation):
    """Give a tenant's table composite keys, forced row-level security, grants and, where governed, its trigger.

    `governed_columns` audits only updates of those columns: for projections that people may also act on. Without
    `foreign_keys` it gets none, as a projection's table that is made anew (see DropForeignKeys); without `primary_key`
    it has none, as rows at which nothing points.
    """

    def __init__(
        self,
        model_name: str,
        *,
        governed: bool = False,
        governed_columns: Sequence[str] = (),
        redact: Sequence[str] = (),
        grants: Sequence[str] = READ_WRITE,
        fleet: bool = False,
        foreign_keys: bool = True,
        primary_key: bool = True,
    ) -> None:
        self.model_name = model_name
        self.foreign_keys = foreign_keys
        self.primary_key = primary_key
        self.governed = governed
        self.governed_columns = tuple(governed_columns)
        self.redact = tuple(redact)
        self.grants = tuple(grants)
        self.fleet = fleet

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Describe the operation for the migration writer."""
        names = ("governed", "governed_columns", "redact", "grants", "fleet", "foreign_keys", "primary_key")
        options = {name: getattr(self, name) for name in names}
        return self.__class__.__name__, [self.model_name], options

    def describe(self) -> str:
        """Say what the operation does."""
        return f"Fence the table of {self.model_name} by tenant"

    def statements(self, model: type[models.Model]) -> Sequence[str]:
        """Return the SQL in order."""
        table = model._meta.db_table
        key = f'ALTER TABLE "{table}" DROP CONSTRAINT "{table}_pkey", ADD PRIMARY KEY (tenant_id, id)'
        statements = [
            *([key] if self.primary_key else ()),
            *(_foreign_keys(model) if self.foreign_keys else ()),
            f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
            f'CREATE POLICY tenant ON "{table}" USING (tenant_id = {_TENANT}) WITH CHECK (tenant_id = {_TENANT})',
            f'GRANT {", ".join(self.grants)} ON "{table}" TO {settings.DATABASE_ROLES["app"]}',
        ]
        if self.fleet:
            fleet = settings.DATABASE_ROLES["fleet"]
            tenants = "string_to_array(current_setting('app.fleet_tenants', true), ',')::int[]"
            statements += [
                f'CREATE POLICY fleet ON "{table}" FOR SELECT TO {fleet} USING (tenant_id = ANY ({tenants}))',
                f'GRANT SELECT ON "{table}" TO {fleet}',
            ]
        if self.governed:
            statements.append(audit_trigger(table, self.redact))
        if self.governed_columns:
            statements.append(audit_trigger(table, self.redact, columns=self.governed_columns))
        return statements


class DropForeignKeys(_TableOperation):
    """Free a projection's table of its foreign keys.

    Its rows are made by the main line alone, from rows that the same transaction has seen, and row-level security keeps
    them with their tenant. A key would be asked for each row, which costs more than the row, and lock what it points at
    in every transaction. Django takes the rows along when what they point at is deleted.
    """

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Describe the operation for the migration writer."""
        return self.__class__.__name__, [self.model_name], {}

    def describe(self) -> str:
        """Say what the operation does."""
        return f"Drop the foreign keys of {self.model_name}"

    def statements(self, model: type[models.Model]) -> Sequence[str]:
        """Return the SQL in order."""
        table = model._meta.db_table
        keys = f"SELECT conname FROM pg_constraint WHERE conrelid = '\"{table}\"'::regclass AND contype = 'f'"  # noqa: S608  A name of ours.
        drop = f"""EXECUTE 'ALTER TABLE "{table}" DROP CONSTRAINT ' || quote_ident(name)"""
        return [f"DO $$ DECLARE name text; BEGIN FOR name IN {keys} LOOP {drop}; END LOOP; END $$"]


class SharedTable(_TableOperation):
    """Grant the app role a table that stands outside the tenants, and audit it where it is governed."""

    def __init__(
        self, model_name: str, *, governed: bool = False, redact: Sequence[str] = (), grants: Sequence[str] = READ_WRITE
    ) -> None:
        self.model_name = model_name
        self.governed = governed
        self.redact = tuple(redact)
        self.grants = tuple(grants)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Describe the operation for the migration writer."""
        options = {"governed": self.governed, "redact": self.redact, "grants": self.grants}
        return self.__class__.__name__, [self.model_name], options

    def describe(self) -> str:
        """Say what the operation does."""
        return f"Grant the table of {self.model_name}"

    def statements(self, model: type[models.Model]) -> Sequence[str]:
        """Return the SQL in order."""
        table = model._meta.db_table
        statements = [f'GRANT {", ".join(self.grants)} ON "{table}" TO {settings.DATABASE_ROLES["app"]}']
        if self.governed:
            statements.append(audit_trigger(table, self.redact))
        return statements


def audit_trigger(table: str, redact: Sequence[str], *, columns: Sequence[str] = ()) -> str:
    """Return the SQL that makes writes of the table leave an audit entry: all of them, or updates of some columns."""
    arguments = ", ".join(f"'{column}'" for column in redact)
    when = f"UPDATE OF {', '.join(columns)}" if columns else "INSERT OR UPDATE OR DELETE"
    return f'CREATE TRIGGER audit AFTER {when} ON "{table}" FOR EACH ROW EXECUTE FUNCTION audit_write({arguments})'


def _foreign_keys(model: type[models.Model]) -> list[str]:
    """Foreign keys between tenant tables carry the tenant, so that none can point across."""
    table = model._meta.db_table
    statements = []
    for field in model._meta.local_concrete_fields:
        target = field.related_model
        if not isinstance(field, models.ForeignKey) or target is None or isinstance(target, str):
            continue
        if field.db_constraint:  # type: ignore[attr-defined]  # Django's stubs do not know it.
            continue
        action = _ON_DELETE[field.remote_field.on_delete].format(column=field.column)  # type: ignore[index]
        statements.append(
            f'ALTER TABLE "{table}" ADD CONSTRAINT "{table}_{field.column}_tenant_fk" '
            f'FOREIGN KEY (tenant_id, "{field.column}") REFERENCES "{target._meta.db_table}" (tenant_id, id) '
            f"ON DELETE {action}"
        )
    return statements
