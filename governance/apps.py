"""Who may, who did, prove it."""

from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    """Approvals, segregation of duties, the audit trail and evidence."""

    name = "governance"
    default_auto_field = "django.db.models.BigAutoField"
