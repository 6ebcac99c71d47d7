"""What happened, what is wrong, who was told."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """Intake, mapping, projections, detection, alerts and notifications."""

    name = "monitoring"
    default_auto_field = "django.db.models.BigAutoField"
