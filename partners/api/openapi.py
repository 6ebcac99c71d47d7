"""What drf-spectacular can't see by itself: our keys, our query declarations and our errors."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from partners.api.problems import CONTENT_TYPE, Problem


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The bearer token."""

    target_class = "partners.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Describe it."""
        return {"type": "http", "scheme": "bearer", "description": "An API token of one tenant (`andon_api_…`)."}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The browser's session."""

    target_class = "partners.api.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Describe it."""
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "andon",
            "description": "The signed-in person; writes need the CSRF token, `?tenant=slug` names another tenant.",
        }


class AndonSchema(AutoSchema):
    """Takes query parameters from the view's `queries` and adds the problem every operation may answer with."""

    def get_override_parameters(self) -> list[Any]:
        """Return what the action declares."""
        declared = getattr(self.view, "queries", {}).get(getattr(self.view, "action", ""))
        return [declared] if declared is not None else []

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        bodies["default"] = self._get_response_for_code(  # type: ignore[no-untyped-call]
            Problem, "default", media_types=[CONTENT_TYPE]
        )
        bodies["default"]["description"] = "What went wrong, as RFC 9457 problem details."
        return bodies
