"""What the app role may do with the tables of the libraries we stand on. They hold sign-in state, no tenant data."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.db import connections

#: App labels whose tables the app role reads and writes, and those it only reads.
_WRITTEN = ("account", "sessions", "mfa", "usersessions", "guardian")
_READ = ("contenttypes", "auth")


def grant_library_tables(sender: AppConfig, using: str, **_: Any) -> None:
    """Grant the libraries' tables after each migrate; granting again changes nothing."""
    role = settings.DATABASE_ROLES["app"]
    with connections[using].cursor() as cursor:
        existing = set(connections[using].introspection.table_names(cursor))
        for label, rights in [
            *((name, "SELECT, INSERT, UPDATE, DELETE") for name in _WRITTEN),
            *((name, "SELECT") for name in _READ),
        ]:
            if not apps.is_installed(label) and label not in apps.app_configs:
                continue
            for model in apps.get_app_config(label).get_models(include_auto_created=True):
                if model._meta.db_table in existing:
                    cursor.execute(f'GRANT {rights} ON "{model._meta.db_table}" TO {role}')
        cursor.execute(f"GRANT SELECT ON django_migrations TO {role}")
        cursor.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}")
