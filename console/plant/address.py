"""Where the console that the plant reports to is found."""

from __future__ import annotations

from collections.abc import Mapping


def console_url(environ: Mapping[str, str]) -> str:
    """The address on this machine: ANDON_PUBLIC_URL names a proxy that may not be reachable from here."""
    port = environ.get("PORT", "").strip()
    public = environ.get("ANDON_PUBLIC_URL", "").strip().rstrip("/")
    return public if public and not port else f"http://127.0.0.1:{port or '8000'}"
