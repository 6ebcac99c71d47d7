"""`manage.py demo`: the demo's partners, tenants, people and keys."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand

from console.embedded.home import home, prepare
from console.plant.tenants import demo_ensure


class Command(BaseCommand):
    """Makes what is missing of the demo; sign-ins are kept in demo.json, keys in plant-keys.json, in ANDON_HOME."""

    help = __doc__ or ""
    requires_system_checks = []

    def handle(self, *_: Any, **__: Any) -> None:
        """Makes it."""
        demo_ensure(prepare(home(os.environ)))
