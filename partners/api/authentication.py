"""Who asks: a bearer token or the browser's session, turned into the Viewer of one tenant.

Nothing is remembered between requests, so a revoked token, a role taken away and a person made inactive have lost
their rights with the next request.
"""

from __future__ import annotations

from typing import TypeAlias

from rest_framework.authentication import BaseAuthentication
from rest_framework.authentication import SessionAuthentication as DrfSessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotFound, ValidationError
from rest_framework.request import Request

from partners.keys import bearer, find_key
from partners.models import Tenant, User
from partners.models.keys import KeyKind
from partners.viewer import Viewer, service_viewer, tenants_of, viewer_of

Found: TypeAlias = "tuple[User | None, Viewer]"
#: The query parameter and the session's key that name the tenant a browser works in.
TENANT = "tenant"


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer andon_api_…`. The token alone decides the tenant."""

    def authenticate(self, request: Request) -> Found | None:
        """Return the token's viewer, None where the request presents no bearer."""
        text = bearer(request.META.get("HTTP_AUTHORIZATION", ""))
        if not text:
            return None
        viewer = _token_viewer(text)
        if viewer is None:
            raise AuthenticationFailed("This is no API token that works: it may be mistyped, revoked or an ingest key.")
        return viewer.user, viewer

    def authenticate_header(self, request: Request) -> str:
        """Make a missing or dead token a 401 that says what is wanted."""
        return 'Bearer realm="andon"'


class SessionAuthentication(DrfSessionAuthentication):
    """The signed-in person; `?tenant=slug`, else the session's tenant, else the only one they may open."""

    def authenticate(self, request: Request) -> Found | None:
        """Return the person's viewer of the tenant they work in, None where nobody is signed in."""
        user = getattr(request._request, "user", None)
        if not isinstance(user, User) or not user.is_active:
            return None
        self.enforce_csrf(request)
        viewer = viewer_of(user, _tenant_of_session(request, user))
        if viewer is None:
            raise NotFound
        return user, viewer


def _token_viewer(text: str) -> Viewer | None:
    key = find_key(KeyKind.API, text)
    if key is None:
        return None
    return service_viewer(key.tenant, key.prefix) if key.user is None else viewer_of(key.user, key.tenant)


def _tenant_of_session(request: Request, user: User) -> Tenant:
    """A tenant the person has no role in answers as one that doesn't exist."""
    mine = tenants_of(user)
    named = request.query_params.get(TENANT) or request.session.get(TENANT)
    if named is not None:
        wanted = next((tenant for tenant in mine if str(named) in {tenant.slug, str(tenant.pk)}), None)
        if wanted is None:
            raise NotFound
        return wanted
    if len(mine) != 1:
        raise ValidationError({TENANT: "Name the tenant, as in ?tenant=slug: you have a role in several or in none."})
    return mine[0]
