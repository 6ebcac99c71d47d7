"""The cast of the suite: an owner, a colleague and a stranger from another tenant, each with what they own."""

from __future__ import annotations


