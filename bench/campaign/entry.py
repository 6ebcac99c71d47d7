"""The ASGI entry of a campaign's broken console: the product's own application, with one control applied."""

from __future__ import annotations

import os

from console.asgi import application

CONTROL = os.environ["ANDON_CAMPAIGN_CONTROL"]

from bench.campaign.breaking import apply  # noqa: E402  Models exist only once Django is set up.

apply(CONTROL)

__all__ = ["application"]
