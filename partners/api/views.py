"""The base of every view of a tenant's data: it runs inside the tenant's scope, serialization included."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from partners.api.authentication import TENANT, SessionAuthentication
from partners.api.openapi import AndonSchema
from partners.api.pagination import CURSOR, PAGE_SIZE, CursorPages
from partners.api.queries import Query, asked
from partners.scope import tenant_scope
from partners.viewer import Viewer

_Shape = TypeVar("_Shape", bound=serializers.BaseSerializer[Any])


class HasViewer(BasePermission):
    """Nobody reads anything without being a viewer of a tenant. What a viewer may do is the use case's to say."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether authentication found a viewer."""
        return isinstance(request.auth, Viewer)


class TenantViewSet(ViewSetMixin, APIView):
    """Actions on one noun. `queries` declares each action's parameters, for reading and for the schema.

    Actions in `above_tenants` write rows that belong to no tenant; they open their scopes themselves.
    """

    permission_classes = [HasViewer]
    pagination_class = CursorPages
    schema = AndonSchema()
    lookup_value_converter = "int"
    queries: Mapping[str, type[Query]] = {}
    above_tenants: frozenset[str] = frozenset()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Do as APIView does, with the handler inside the scope: an error that leaves it rolls everything back."""
        self.args, self.kwargs = args, kwargs
        asking = self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            self.initial(asking, *args, **kwargs)
            handler = getattr(self, (request.method or "").lower(), self.http_method_not_allowed)
            self.asked = self._asked()
            with self._scope():
                response = handler(asking, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  As in APIView: the handler re-raises what it doesn't know.
            response = self.handle_exception(error)
        self.response = self.finalize_response(asking, response, *args, **kwargs)
        return self.response

    @property
    def viewer(self) -> Viewer:
        """Who asks."""
        viewer = self.request.auth
        assert isinstance(viewer, Viewer)
        return viewer

    def told(self, shape: type[_Shape], **options: Any) -> dict[str, Any]:
        """Return the body as `shape` declares it. What it doesn't declare (a tenant, an id) is ignored."""
        parser = shape(data=self.request.data, context=self.shape_context(), **options)
        parser.is_valid(raise_exception=True)
        return dict(parser.validated_data)

    def page(self, rows: QuerySet[Any], shape: type[_Shape]) -> Response:
        """Answer with one cursor page of rows."""
        pages = self.pagination_class()
        found = pages.paginate_queryset(rows, self.request, self)
        return pages.get_paginated_response(shape(found, many=True, context=self.shape_context()).data)

    def one(self, row: Any, shape: type[_Shape], status: int = 200) -> Response:
        """Answer with one row."""
        return Response(shape(row, context=self.shape_context()).data, status=status)

    def shape_context(self) -> dict[str, Any]:
        """What serializers may need besides the row."""
        return {"viewer": self.viewer, "request": self.request}

    def _asked(self) -> dict[str, Any]:
        besides = {CURSOR, PAGE_SIZE} if self.action == "list" else set()
        if isinstance(self.request.successful_authenticator, SessionAuthentication):
            besides.add(TENANT)
        return asked(self.request, self.queries.get(self.action, Query), besides=besides)

    def _scope(self) -> AbstractContextManager[Any]:
        if self.action in self.above_tenants:
            return transaction.atomic()
        return tenant_scope(self.viewer.tenant.pk, actor=self.viewer.actor)
