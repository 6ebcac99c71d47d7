"""Who there is: one file for each noun."""

from partners.models.brand import Brand
from partners.models.keys import ApiToken, IngestKey, KeyDigest
from partners.models.people import Membership, User
from partners.models.tenancy import Partner, Site, Tenant, TenantManager, TenantModel

__all__ = [
    "ApiToken",
    "Brand",
    "IngestKey",
    "KeyDigest",
    "Membership",
    "Partner",
    "Site",
    "Tenant",
    "TenantManager",
    "TenantModel",
    "User",
]
