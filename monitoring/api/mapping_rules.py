"""mapping-rules/: what ties telemetry to processes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.api.references import ProcessRef
from monitoring.api.views import CatalogueViewSet
from monitoring.models import MappingRule
from monitoring.selectors.catalogue import mapping_rules_listed
from monitoring.services.mapping_rules import mapping_rule_remove, mapping_rule_save


class KeyRuleShape(serializers.Serializer[Any]):
    """Where a business key is found: an attribute's name, or CEL over `resource`, `span` and `event`."""

    type = serializers.CharField(max_length=40)
    expression = serializers.CharField(max_length=1000)


class MappingRuleShape(serializers.Serializer[Any]):
    """The first rule by `position` whose CEL `condition` holds ties telemetry to its process."""

    id = serializers.IntegerField(read_only=True)
    position = serializers.IntegerField(min_value=0, max_value=2_147_483_647, required=False)
    name = serializers.CharField(max_length=120)
    condition = serializers.CharField(max_length=1000)
    process = ProcessRef(read_only=True)
    workflow_name = serializers.CharField(max_length=300, allow_blank=True, default="")
    keys = KeyRuleShape(many=True, required=False)
    enabled = serializers.BooleanField(default=True)


class MappingRuleWrite(MappingRuleShape):
    """A rule whose process is named by id or short name; without a position it comes last."""

    process = serializers.CharField(max_length=120)  # type: ignore[assignment]  # Read as an object, written by name.


@extend_schema(tags=["catalogue"])
class MappingRulesViewSet(CatalogueViewSet):
    """Mapping rules, in the order in which they decide."""

    @extend_schema(responses=MappingRuleShape(many=True))
    def list(self, request: Request) -> Response:
        """List rules by position."""
        return self.page(mapping_rules_listed(self.viewer), MappingRuleShape)

    @extend_schema(responses=MappingRuleShape)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one rule."""
        return self.one(mapping_rules_listed(self.viewer).get(pk=pk), MappingRuleShape)

    @extend_schema(request=MappingRuleWrite, responses={201: MappingRuleShape})
    def create(self, request: Request) -> Response:
        """Make a rule."""
        return self.one(mapping_rule_save(fields=self._fields(), viewer=self.viewer), MappingRuleShape, 201)

    @extend_schema(request=MappingRuleWrite(partial=True), responses=MappingRuleShape)
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change the fields named."""
        rule: MappingRule = mapping_rules_listed(self.viewer).get(pk=pk)
        saved = mapping_rule_save(rule=rule, fields=self._fields(partial=True), viewer=self.viewer)
        return self.one(saved, MappingRuleShape)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: int) -> Response:
        """Remove a rule."""
        mapping_rule_remove(rule=mapping_rules_listed(self.viewer).get(pk=pk), viewer=self.viewer)
        return Response(status=204)

    def _fields(self, **options: Any) -> dict[str, Any]:
        fields = self.told(MappingRuleWrite, **options)
        if "process" in fields:
            fields["process"] = self.process_named(fields["process"])
        if "keys" in fields:
            fields["keys"] = [dict(key) for key in fields["keys"]]
        return fields
