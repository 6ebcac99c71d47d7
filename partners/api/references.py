"""How rows name people, tenants and sites: small objects, null where there is none."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class TenantRef(serializers.Serializer[Any]):
    """A tenant by id, short name and name."""

    id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()


class SiteRef(serializers.Serializer[Any]):
    """A site by id, short name and name."""

    id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()


class PersonRef(serializers.Serializer[Any]):
    """A person by id, name (the address where none is known) and e-mail address."""

    id = serializers.IntegerField()
    name = serializers.CharField(source="get_short_name")
    email = serializers.EmailField()
