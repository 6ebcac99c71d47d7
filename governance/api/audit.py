"""audit/: who did what to which row, for whom, when and why. Read-only: the database writes it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from governance.selectors.audit import entries_filtered, entry_get
from partners.api.queries import PeriodQuery
from partners.api.views import TenantViewSet


class AuditEntryShape(serializers.Serializer[Any]):
    """One line of the trail. `before` is null for an insert, `after` for a delete; secrets show as `(hidden)`."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    actor = serializers.CharField(help_text="`user:<id>`, `token:<prefix>` or `system:<part>`.")
    on_behalf_of = serializers.CharField()
    action = serializers.CharField()
    reason = serializers.CharField()
    object_type = serializers.CharField()
    object_id = serializers.CharField()
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)


class AuditQuery(PeriodQuery):
    """What entries are filtered by; the period is that of when they were written."""

    actor = serializers.CharField(required=False, max_length=80)
    action = serializers.CharField(required=False, max_length=20)
    object_type = serializers.CharField(required=False, max_length=80)
    object_id = serializers.CharField(required=False, max_length=40)


@extend_schema(tags=["audit"])
class AuditViewSet(TenantViewSet):
    """The audit trail."""

    queries = {"list": AuditQuery}

    @extend_schema(responses=AuditEntryShape(many=True))
    def list(self, request: Request) -> Response:
        """List entries, newest first."""
        return self.page(entries_filtered(self.viewer, **self.asked), AuditEntryShape)

    @extend_schema(responses=AuditEntryShape)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one entry."""
        return self.one(entry_get(self.viewer, pk), AuditEntryShape)
