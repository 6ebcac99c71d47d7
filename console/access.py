"""The door of every tenant page: who looks, at which tenant, with which right."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from partners.models import Tenant, User
from partners.permission import require
from partners.roles import Right
from partners.scope import tenant_scope
from partners.viewer import Viewer, viewer_of

#: Where the session keeps the tenant a person looked at last.
LAST_TENANT = "tenant"

_P = ParamSpec("_P")
Page = Callable[Concatenate[HttpRequest, Viewer, _P], HttpResponseBase]
Routed = Callable[..., HttpResponseBase]


def tenant_page(right: Right = Right.VIEW) -> Callable[[Page[_P]], Routed]:
    """Let a view `(request, viewer, ...)` answer below `/t/<slug:tenant>/`, inside that tenant's scope.

    Nobody signed in: to the sign-in page and back. A tenant that is unknown or foreign: 404, both alike. A missing
    right: 403 with the roles that hold it. The view renders before it returns: outside the scope there is no data.
    """

    def decorate(view: Page[_P]) -> Routed:
        @wraps(view)
        def page(request: HttpRequest, tenant: str, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponseBase:
            if not isinstance(request.user, User):
                return _sign_in(request)
            viewer = viewer_in(request.user, tenant)
            request.viewer = viewer  # type: ignore[attr-defined]
            if request.session.get(LAST_TENANT) != viewer.tenant.slug:
                request.session[LAST_TENANT] = viewer.tenant.slug
            with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
                require(viewer, right)
                return view(request, viewer, *args, **kwargs)

        return page

    return decorate


def viewer_in(user: User, slug: str) -> Viewer:
    """Return the person as a viewer of the tenant with this short name; raises Http404 where they may not look."""
    tenant = Tenant.objects.select_related("partner").filter(slug=slug).first()
    viewer = viewer_of(user, tenant) if tenant else None
    if viewer is None:
        raise Http404("There is no such tenant, or it isn't yours to see.")
    return viewer


def _sign_in(request: HttpRequest) -> HttpResponseBase:
    if not request.headers.get("HX-Request"):
        return redirect_to_login(request.get_full_path())
    # A part of a page can't show the sign-in form: the whole page goes there, and comes back.
    there = redirect_to_login(request.headers.get("HX-Current-URL", "/"))
    return HttpResponse(status=204, headers={"HX-Redirect": there["Location"]})
