"""Finds rows by what people in the plant call things: `order:4711`, or `4711` alone."""

from __future__ import annotations

from django.db.models import QuerySet

from monitoring.models import BusinessKey


def keys_matching(text: str) -> QuerySet[BusinessKey]:
    """Business keys of the scope's tenant: `type:value` exactly, or where no such type exists the value whole.

    A value may hold a colon itself (`urn:batch:7`), so text with one is looked up both ways.
    """
    key_type, _, value = text.partition(":")
    keys: QuerySet[BusinessKey] = BusinessKey.objects.all()
    whole = keys.filter(value=text)
    if not value:
        return whole
    return keys.filter(key_type=key_type.strip().lower(), value=value.strip()) | whole
