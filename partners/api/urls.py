"""The bottom floor's routes below /api/v1/."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from partners.api.brands import BrandsViewSet
from partners.api.keys import ApiTokensViewSet, IngestKeysViewSet
from partners.api.members import MembersViewSet
from partners.api.sites import SitesViewSet
from partners.api.tenants import TenantsViewSet

router = SimpleRouter(use_regex_path=False)
router.register("tenants", TenantsViewSet, basename="tenant")
router.register("sites", SitesViewSet, basename="site")
router.register("members", MembersViewSet, basename="member")
router.register("ingest-keys", IngestKeysViewSet, basename="ingest-key")
router.register("api-tokens", ApiTokensViewSet, basename="api-token")
router.register("brands", BrandsViewSet, basename="brand")

urlpatterns = router.urls
