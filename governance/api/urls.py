"""Governance's routes below /api/v1/."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from governance.api.audit import AuditViewSet

router = SimpleRouter(use_regex_path=False)
router.register("audit", AuditViewSet, basename="audit-entry")

urlpatterns = router.urls
