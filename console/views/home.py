"""The root: the way to the tenant a person works in."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from console.access import LAST_TENANT
from partners.models import User
from partners.viewer import tenants_of


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Lead to the board of the tenant looked at last, else of the first; with none, say so."""
    assert isinstance(request.user, User)
    tenants = tenants_of(request.user)
    if not tenants:
        return render(request, "no_tenant.html")
    last = request.session.get(LAST_TENANT)
    tenant = next((tenant for tenant in tenants if tenant.slug == last), tenants[0])
    return redirect("board", tenant=tenant.slug)
