"""Reads runs' spans as page and REST do, without HTTP: `python -m bench.selecting TENANT`, ids as JSON on input."""

from __future__ import annotations

import json
import sys
import time

import django

django.setup()

from monitoring.selectors.spans import spans_of_run  # noqa: E402
from partners.models import Tenant  # noqa: E402
from partners.scope import tenant_scope  # noqa: E402
from partners.viewer import system_viewer  # noqa: E402


def main(slug: str) -> None:
    """Print the milliseconds of each."""
    viewer = system_viewer(Tenant.objects.select_related("partner").get(slug=slug), "bench")
    waits = []
    for run in json.load(sys.stdin):
        begun = time.monotonic()
        with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
            spans_of_run(viewer, run)
        waits.append((time.monotonic() - begun) * 1e3)
    print(json.dumps(waits))


if __name__ == "__main__":
    main(sys.argv[1])
