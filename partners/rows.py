"""Writes one row of the scope's tenant after checking its fields; uniqueness and references are the database's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from partners.models import TenantModel
from partners.scope import current_tenant_id

_Row = TypeVar("_Row", bound=TenantModel)


def row_save(row: _Row, fields: Mapping[str, Any]) -> _Row:
    """Set the fields and save; raises ValidationError with messages by field, IntegrityError for a name in use."""
    for name, value in fields.items():
        setattr(row, name, value)
    row.tenant_id = current_tenant_id()
    row.clean_fields(exclude={"tenant"})
    row.save()
    return row
