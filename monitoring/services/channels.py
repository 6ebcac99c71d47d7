"""What people do to channels. A webhook's address is judged here and again whenever something is sent to it."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from monitoring.findings import Kind, Severity
from monitoring.models import Channel
from monitoring.models.delivery import ChannelKind
from monitoring.notify.destinations import judged
from monitoring.notify.transport import PermanentFailure, TemporaryFailure
from partners.permission import require
from partners.roles import Right
from partners.rows import row_save
from partners.scope import tenant_scope
from partners.viewer import Viewer


@dataclass(frozen=True, slots=True)
class SavedChannel:
    """A channel, and its signing secret where this call made one; it is never shown again."""

    channel: Channel
    new_secret: str | None = None


def channel_save(*, channel: Channel | None = None, fields: Mapping[str, Any], viewer: Viewer) -> SavedChannel:
    """Make a channel or change the fields named of one; a webhook without a secret is given one."""
    require(viewer, Right.EDIT_CATALOGUE)
    row = channel or Channel()
    kind, target = fields.get("kind", row.kind), fields.get("target", row.target)
    if {"kind", "target"} & set(fields):
        check_target(kind, target)
    check_wants(fields)
    made = new_secret() if kind == ChannelKind.WEBHOOK and not row.secret else None
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
        return SavedChannel(row_save(row, {**fields, "secret": made} if made else fields), made)


def channel_secret_renew(*, channel: Channel, viewer: Viewer) -> SavedChannel:
    """Give a webhook a new signing secret; the old one signs nothing any more."""
    require(viewer, Right.EDIT_CATALOGUE)
    if channel.kind != ChannelKind.WEBHOOK:
        raise ValidationError({"kind": "Only webhooks are signed."})
    made = new_secret()
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
        return SavedChannel(row_save(channel, {"secret": made}), made)


def channel_remove(*, channel: Channel, viewer: Viewer) -> None:
    """Remove a channel with its lines of the outbox."""
    require(viewer, Right.EDIT_CATALOGUE)
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
        channel.delete()


def check_target(kind: str, target: str) -> None:
    """Raise ValidationError unless notifications may go there."""
    if kind == ChannelKind.EMAIL:
        try:
            validate_email(target)
        except ValidationError as error:
            raise ValidationError({"target": f"'{target}' is no e-mail address."}) from error
        return
    try:
        judged(target)
    except PermanentFailure as error:
        raise ValidationError({"target": f"A webhook can't go there: {error}."}) from error
    except TemporaryFailure:
        # The name may not resolve yet, or not from here; sending judges the address again.
        return


def check_wants(fields: Mapping[str, Any]) -> None:
    """Raise ValidationError where a kind of alert or a severity doesn't exist."""
    unknown = [kind for kind in fields.get("kinds", ()) if kind not in set(Kind)]
    if unknown:
        raise ValidationError({"kinds": f"There is no kind of alert named {', '.join(map(str, unknown))}."})
    if fields.get("min_severity", Severity.HIGH) not in set(Severity):
        raise ValidationError({"min_severity": f"Use one of {', '.join(Severity)}."})


def new_secret() -> str:
    """Return a signing secret of 256 bits, as Standard Webhooks writes them."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
