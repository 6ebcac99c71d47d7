"""What people do to mapping rules: the first by position whose condition holds ties telemetry to a process."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Max

from monitoring.expressions import ROOTS, ExpressionError, check
from monitoring.models import MappingRule
from partners.permission import require
from partners.roles import Right
from partners.rows import row_save
from partners.scope import tenant_scope
from partners.viewer import Viewer

_KEY_TYPE = re.compile(r"[a-z][a-z0-9_-]{0,39}\Z")


def mapping_rule_save(*, rule: MappingRule | None = None, fields: Mapping[str, Any], viewer: Viewer) -> MappingRule:
    """Make a rule, last in order unless `position` says otherwise, or change the fields named of one."""
    require(viewer, Right.EDIT_CATALOGUE)
    if "condition" in fields:
        _check("condition", fields["condition"])
    check_keys(fields.get("keys", ()))
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
        row = rule or MappingRule(position=_next_position())
        return row_save(row, fields)


def mapping_rule_remove(*, rule: MappingRule, viewer: Viewer) -> None:
    """Remove a rule. What it mapped stays mapped until it is computed again."""
    require(viewer, Right.EDIT_CATALOGUE)
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
        rule.delete()


def check_keys(keys: Iterable[Mapping[str, str]]) -> None:
    """Raise ValidationError unless each key has a plain type and an attribute's name or a CEL expression."""
    for key in keys:
        if not _KEY_TYPE.match(key.get("type", "")):
            raise ValidationError({"keys": f"'{key.get('type', '')}' is no type of key; use a word such as order."})
        expression = key.get("expression", "")
        if not expression.strip():
            raise ValidationError({"keys": f"Say where {key['type']} is found: an attribute's name, or CEL."})
        if names_a_root(expression):
            _check("keys", expression)


def names_a_root(expression: str) -> bool:
    """Whether mapping reads it as CEL: it names `span`, `event` or `resource` and looks inside."""
    return any(root in expression for root in ROOTS) and any(sign in expression for sign in ".[(")


def _check(field: str, expression: str) -> None:
    try:
        check(expression)
    except ExpressionError as error:
        raise ValidationError({field: str(error)}) from error


def _next_position() -> int:
    last = MappingRule.objects.aggregate(last=Max("position"))["last"]
    return 1 if last is None else last + 1
