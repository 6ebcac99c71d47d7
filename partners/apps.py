"""The bottom floor: who there is."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PartnersConfig(AppConfig):
    """Partners, tenants, sites, people, keys and brands, and the fence between tenants."""

    name = "partners"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from partners import checks  # noqa: F401, PLC0415  Registers itself; models must be loaded first.
        from partners.database.grants import grant_library_tables  # noqa: PLC0415  Needs loaded models.

        post_migrate.connect(grant_library_tables, sender=self)
