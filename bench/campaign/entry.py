"""The ASGI entry of a campaign's broken console: the product's own application, with one control applied."""

from __future__ import annotations

import os

from console.asgi import application

from bench.campaign.breaking import apply

apply(os.environ["ANDON_CAMPAIGN_CONTROL"])

__all__ = ["application"]
