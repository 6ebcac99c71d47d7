"""What people do about keys: make one, whose text is shown once, and revoke one."""

from __future__ import annotations

from partners.keys import NewKey
from partners.models import ApiToken, IngestKey
from partners.models.keys import AccessKey
from partners.permission import require
from partners.roles import Right
from partners.services import api_token_issue, ingest_key_issue, key_revoke
from partners.viewer import Viewer


def ingest_key_make(*, label: str, viewer: Viewer) -> tuple[IngestKey, NewKey]:
    """Make an ingest key of the viewer's tenant."""
    require(viewer, Right.MANAGE_KEYS)
    return ingest_key_issue(tenant_id=viewer.tenant.pk, label=label, actor=viewer.actor)


def service_token_make(*, label: str, viewer: Viewer) -> tuple[ApiToken, NewKey]:
    """Make a token that acts with a tenant administrator's rights; only who holds them may."""
    require(viewer, Right.MANAGE_KEYS)
    return api_token_issue(tenant_id=viewer.tenant.pk, label=label, actor=viewer.actor)


def own_token_make(*, label: str, viewer: Viewer) -> tuple[ApiToken, NewKey]:
    """Make a token with the viewer's own rights, whatever they are when it is used."""
    if viewer.user is None:
        require(viewer, Right.MANAGE_KEYS)
    return api_token_issue(tenant_id=viewer.tenant.pk, label=label, actor=viewer.actor, user=viewer.user)


def access_key_revoke(*, key: AccessKey, viewer: Viewer, reason: str = "") -> None:
    """Make a key worthless from the next request on; everyone may revoke their own tokens."""
    if not (isinstance(key, ApiToken) and viewer.user is not None and key.user_id == viewer.user.pk):
        require(viewer, Right.MANAGE_KEYS)
    key_revoke(key=key, actor=viewer.actor, reason=reason)
