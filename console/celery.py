"""The Celery application."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init

from console.telemetry import set_up

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

app = Celery("andon")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["monitoring", "governance"])


@worker_init.connect  # type: ignore[untyped-decorator]
def _observe(**_: Any) -> None:
    """The worker's own spans and errors go where the web processes' go."""
    set_up()
