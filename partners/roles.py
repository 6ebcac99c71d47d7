"""The roles, and what each may do: one table, read by pages, REST and documentation."""

from __future__ import annotations

from enum import StrEnum


class Right(StrEnum):
    """What a role may do in a tenant."""

    VIEW = "view"  # board, alerts, runs, dead letters, catalogue
    VIEW_PAYLOAD = "view_payload"  # span attributes, bodies, logs
    VIEW_AUDIT = "view_audit"  # who changed what, and legal holds
    PLACE_HOLDS = "place_holds"  # legal holds on what was received
    HANDLE_ALERTS = "handle_alerts"  # acknowledge, assign, resolve
    HANDLE_DEAD_LETTERS = "handle_dead_letters"
    EDIT_CATALOGUE = "edit_catalogue"  # processes, owners, SLAs, mapping, channels
    MANAGE_KEYS = "manage_keys"
    MANAGE_MEMBERS = "manage_members"


class Role(StrEnum):
    """The roles of the issue's cast; `label` is what pages show."""

    PARTNER_ADMIN = "partner_admin"
    PARTNER_OPERATOR = "partner_operator"
    TENANT_ADMIN = "tenant_admin"
    PROCESS_OWNER = "process_owner"
    INTEGRATION_ENGINEER = "integration_engineer"
    COMPLIANCE_OFFICER = "compliance_officer"
    EXECUTIVE = "executive"
    SUPPLIER = "supplier"

    @property
    def label(self) -> str:
        return self.value.replace("_", " ").capitalize()


PARTNER_ROLES = frozenset({Role.PARTNER_ADMIN, Role.PARTNER_OPERATOR})

_ALL = frozenset(Right)
RIGHTS: dict[Role, frozenset[Right]] = {
    Role.PARTNER_ADMIN: _ALL,
    Role.PARTNER_OPERATOR: frozenset(
        {Right.VIEW, Right.VIEW_PAYLOAD, Right.HANDLE_ALERTS, Right.HANDLE_DEAD_LETTERS, Right.EDIT_CATALOGUE}
    ),
    Role.TENANT_ADMIN: _ALL,
    Role.PROCESS_OWNER: frozenset({Right.VIEW, Right.HANDLE_ALERTS, Right.HANDLE_DEAD_LETTERS, Right.EDIT_CATALOGUE}),
    Role.INTEGRATION_ENGINEER: frozenset(
        {Right.VIEW, Right.VIEW_PAYLOAD, Right.HANDLE_ALERTS, Right.HANDLE_DEAD_LETTERS}
    ),
    Role.COMPLIANCE_OFFICER: frozenset({Right.VIEW, Right.VIEW_AUDIT, Right.PLACE_HOLDS}),
    Role.EXECUTIVE: frozenset({Right.VIEW}),
    # A supplier sees the processes granted to it one by one, and nothing else.
    Role.SUPPLIER: frozenset({Right.VIEW}),
}
