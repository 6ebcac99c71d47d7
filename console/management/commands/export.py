"""`manage.py export`: a tenant's catalogue as YAML, which `apply` takes without any change."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from monitoring.configuration.state import state
from monitoring.configuration.writing import written
from partners.scope import tenant_scope
from partners.selectors import tenant_named


class Command(BaseCommand):
    """Writes it to standard output. Secrets are not in it."""

    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's short name or name")

    def handle(self, *_: Any, tenant: str, **__: Any) -> None:
        """Writes the file."""
        found = tenant_named(tenant)
        if found is None:
            raise CommandError(f"There is no tenant '{tenant}'; `manage.py provision` makes one.")
        with tenant_scope(found.pk, actor="system:export"):
            self.stdout.write(written(state()), ending="")
