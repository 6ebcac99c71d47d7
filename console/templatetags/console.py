"""Durations, instants, lamps and badges for the pages."""

from __future__ import annotations

from django import template

register = template.Library()
