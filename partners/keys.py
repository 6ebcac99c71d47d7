"""Keys that machines present: `andon_<kind>_<prefix>_<secret>`, of which only prefix and SHA-256 are kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from django.db.models import QuerySet

from partners.models.keys import KeyDigest, KeyKind

_FORM = re.compile(r"andon_(in|api)_([a-z0-9]{10})_([A-Za-z0-9_-]{43})\Z")
_SHORT = {KeyKind.INGEST: "in", KeyKind.API: "api"}
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the only moment its secret is known."""

    prefix: str
    text: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whose key was presented."""

    prefix: str
    tenant_id: int
    user_id: int | None


def make_key(kind: KeyKind) -> NewKey:
    """Make a key with 256 bits of secret; a fast hash suffices for that much randomness."""
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    text = f"andon_{_SHORT[kind]}_{prefix}_{secrets.token_urlsafe(32)}"
    return NewKey(prefix, text, hashlib.sha256(text.encode()).digest())


def bearer(header: str) -> str:
    """Return what an Authorization header presents as its bearer, or an empty string."""
    scheme, _, value = header.strip().partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def find_holder(kind: KeyKind, text: str) -> KeyHolder | None:
    """Return whose live key this is; unknown, revoked, malformed and of another kind all give None."""
    for digest, prefix, tenant_id, user_id in _live(kind, text).values_list("digest", "prefix", "tenant_id", "user_id"):
        if _is_of(digest, text):
            return KeyHolder(prefix, tenant_id, user_id)
    return None


def find_key(kind: KeyKind, text: str) -> KeyDigest | None:
    """Return the live key with its tenant, the tenant's partner and its person; None where find_holder gives None."""
    for key in _live(kind, text).select_related("tenant__partner", "user"):
        if _is_of(key.digest, text):
            return key
    return None


def _live(kind: KeyKind, text: str) -> QuerySet[KeyDigest]:
    match = _FORM.match(text)
    if match is None:
        return KeyDigest.objects.none()
    return KeyDigest.objects.filter(prefix=match.group(2), kind=kind, revoked_at=None)


def _is_of(digest: bytes | memoryview, text: str) -> bool:
    return hmac.compare_digest(bytes(digest), hashlib.sha256(text.encode()).digest())
