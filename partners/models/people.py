"""User and Membership: who signs in, and what they may do where."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models

from partners.models.tenancy import Partner, Tenant
from partners.roles import Role
from partners.scope import installation_scope, scope_is_open


class UserManager(BaseUserManager["User"]):
    """Makes users by e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make one user; without a password the person can only sign in after setting one by mail."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        """Look a person up by address, whatever its case."""
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in with an e-mail address."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    zone = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    #: Signing in is no change of the person, so it writes nothing here.
    last_login = None

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    objects: ClassVar[UserManager] = UserManager()

    def __str__(self) -> str:
        return self.name or self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Outside a scope it is the person who changes themself: a new password, a stronger hash of the old one."""
        if scope_is_open():
            super().save(*args, **kwargs)
            return
        with installation_scope(actor=f"user:{self.pk or 'new'}"):
            super().save(*args, **kwargs)

    def get_short_name(self) -> str:
        """What a page calls the person."""
        return self.name or self.email


class Membership(models.Model):
    """A person's role at a partner (over all its tenants) or in one tenant; `site_id` narrows it to a plant."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    partner = models.ForeignKey(Partner, on_delete=models.CASCADE, null=True, blank=True, related_name="memberships")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True, related_name="memberships")
    site_id = models.BigIntegerField(null=True, blank=True)
    role = models.CharField(max_length=30, choices=[(role.value, role.label) for role in Role])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(partner__isnull=True) ^ models.Q(tenant__isnull=True), name="membership_one_scope"
            ),
            models.UniqueConstraint(
                fields=("user", "partner", "tenant", "role"), name="membership_once", nulls_distinct=False
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.tenant or self.partner}"
