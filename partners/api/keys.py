"""ingest-keys/ and api-tokens/: a key's text is in the answer that made it, and never again."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from partners.access import access_key_revoke, ingest_key_make, own_token_make, service_token_make
from partners.api.references import PersonRef
from partners.api.views import TenantViewSet
from partners.selectors import visible_api_tokens, visible_ingest_keys


class KeyShape(serializers.Serializer[Any]):
    """A key without its secret."""

    id = serializers.IntegerField(read_only=True)
    prefix = serializers.CharField(read_only=True)
    label = serializers.CharField(max_length=120)  # type: ignore[assignment]  # DRF takes declared fields away.
    created_at = serializers.DateTimeField(read_only=True)
    created_by = serializers.CharField(read_only=True, help_text="`user:<id>`, `token:<prefix>` or `system:<part>`.")
    revoked_at = serializers.DateTimeField(read_only=True, allow_null=True)


class NewKeyShape(KeyShape):
    """A key at the only moment its text is known."""

    key = serializers.CharField(read_only=True, help_text="Shown once; send it as `Authorization: Bearer <key>`.")


class TokenShape(KeyShape):
    """An API token; `user` is null for the tenant's service tokens."""

    user = PersonRef(read_only=True, allow_null=True)


class NewTokenShape(TokenShape):
    """An API token at the only moment its text is known."""

    token = serializers.CharField(read_only=True, help_text="Shown once; send it as `Authorization: Bearer <token>`.")


class TokenNew(serializers.Serializer[Any]):
    """`service` acts with a tenant administrator's rights, `own` with yours."""

    label = serializers.CharField(max_length=120)  # type: ignore[assignment]  # DRF takes declared fields away.
    kind = serializers.ChoiceField(choices=("own", "service"), default="own")


@extend_schema(tags=["keys"])
class IngestKeysViewSet(TenantViewSet):
    """Keys that may send telemetry and events, and do nothing else."""

    @extend_schema(responses=KeyShape(many=True))
    def list(self, request: Request) -> Response:
        """List the keys, revoked ones too."""
        return self.page(visible_ingest_keys(self.viewer), KeyShape)

    @extend_schema(responses=KeyShape)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one key."""
        return self.one(visible_ingest_keys(self.viewer).get(pk=pk), KeyShape)

    @extend_schema(request=KeyShape, responses={201: NewKeyShape})
    def create(self, request: Request) -> Response:
        """Make a key; its text is in this answer alone."""
        row, new = ingest_key_make(label=self.told(KeyShape)["label"], viewer=self.viewer)
        return Response({**KeyShape(row).data, "key": new.text}, status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: int) -> Response:
        """Revoke a key: it is worthless from the next request on."""
        access_key_revoke(key=visible_ingest_keys(self.viewer).get(pk=pk), viewer=self.viewer)
        return Response(status=204)


@extend_schema(tags=["keys"])
class ApiTokensViewSet(TenantViewSet):
    """Tokens for this API."""

    @extend_schema(responses=TokenShape(many=True))
    def list(self, request: Request) -> Response:
        """List the tokens: all for who manages keys, else one's own."""
        return self.page(visible_api_tokens(self.viewer), TokenShape)

    @extend_schema(responses=TokenShape)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one token."""
        return self.one(visible_api_tokens(self.viewer).get(pk=pk), TokenShape)

    @extend_schema(request=TokenNew, responses={201: NewTokenShape})
    def create(self, request: Request) -> Response:
        """Make a token; its text is in this answer alone."""
        said = self.told(TokenNew)
        if said["kind"] == "own" and self.viewer.user is None:
            raise ValidationError({"kind": "A service token has no person; ask for kind service."})
        make = service_token_make if said["kind"] == "service" else own_token_make
        row, new = make(label=said["label"], viewer=self.viewer)
        return Response({**TokenShape(row).data, "token": new.text}, status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: int) -> Response:
        """Revoke a token: it is worthless from the next request on."""
        access_key_revoke(key=visible_api_tokens(self.viewer).get(pk=pk), viewer=self.viewer)
        return Response(status=204)
