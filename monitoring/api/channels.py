"""channels/: where notifications go. A webhook's signing secret is in the answer that made it, and never again."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.api.views import MonitoringViewSet
from monitoring.findings import Kind, Severity
from monitoring.models import Channel
from monitoring.models.delivery import ChannelKind
from monitoring.selectors.catalogue import channels_listed
from monitoring.services.channels import SavedChannel, channel_remove, channel_save, channel_secret_renew
from partners.api.words import choices_of
from partners.roles import Right


class ChannelShape(serializers.Serializer[Any]):
    """An address or URL, and what it carries: at least `min_severity`, of `kinds` (empty: all)."""

    id = serializers.IntegerField(read_only=True)
    name = serializers.CharField(max_length=120)
    kind = serializers.ChoiceField(choices=ChannelKind.choices)
    target = serializers.CharField(max_length=500, help_text="An e-mail address, or an https URL.")
    min_severity = serializers.ChoiceField(choices=choices_of(Severity), default=Severity.HIGH.value)
    kinds = serializers.ListField(child=serializers.ChoiceField(choices=choices_of(Kind)), default=list, max_length=50)
    enabled = serializers.BooleanField(default=True)
    has_secret = serializers.SerializerMethodField()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """A webhook's address may be a secret of its own, so only who may edit it reads it whole."""
        shown: dict[str, Any] = super().to_representation(instance)
        if shown["kind"] == ChannelKind.WEBHOOK and not self.context["viewer"].may(Right.EDIT_CATALOGUE):
            parts = urlsplit(shown["target"])
            shown["target"] = f"{parts.scheme}://{parts.hostname}/…"
        return shown

    def get_has_secret(self, channel: Channel) -> bool:
        """Say whether what it carries is signed."""
        return bool(channel.secret)


class NewChannelShape(ChannelShape):
    """A channel, with its signing secret where this call made one."""

    secret = serializers.CharField(read_only=True, allow_null=True, help_text="`whsec_…`, shown once.")


@extend_schema(tags=["channels"])
class ChannelsViewSet(MonitoringViewSet):
    """Where notifications go."""

    @extend_schema(responses=ChannelShape(many=True))
    def list(self, request: Request) -> Response:
        """List channels by name."""
        return self.page(channels_listed(self.viewer), ChannelShape)

    @extend_schema(responses=ChannelShape)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one channel."""
        return self.one(channels_listed(self.viewer).get(pk=pk), ChannelShape)

    @extend_schema(request=ChannelShape, responses={201: NewChannelShape})
    def create(self, request: Request) -> Response:
        """Make a channel; a webhook's secret is in this answer alone."""
        return self._answer(channel_save(fields=self.told(ChannelShape), viewer=self.viewer), 201)

    @extend_schema(request=ChannelShape(partial=True), responses=NewChannelShape)
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change the fields named."""
        channel: Channel = channels_listed(self.viewer).get(pk=pk)
        return self._answer(
            channel_save(channel=channel, fields=self.told(ChannelShape, partial=True), viewer=self.viewer)
        )

    @extend_schema(request=None, responses=NewChannelShape)
    @action(detail=True, methods=["post"], url_path="renew-secret")
    def renew_secret(self, request: Request, pk: int) -> Response:
        """Give a webhook a new signing secret."""
        return self._answer(channel_secret_renew(channel=channels_listed(self.viewer).get(pk=pk), viewer=self.viewer))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: int) -> Response:
        """Remove a channel."""
        channel_remove(channel=channels_listed(self.viewer).get(pk=pk), viewer=self.viewer)
        return Response(status=204)

    def _answer(self, saved: SavedChannel, status: int = 200) -> Response:
        return Response(
            {**ChannelShape(saved.channel, context=self.shape_context()).data, "secret": saved.new_secret},
            status=status,
        )
