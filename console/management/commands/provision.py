"""`manage.py provision`: a partner, a tenant, a site, a person, and the keys to begin with."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email

from partners.provisioning import Provisioned, tenant_provision
from partners.roles import Role

_SECRETS = ("ingest_key", "api_token", "password")


class Command(BaseCommand):
    """Makes what is missing and finds the rest. A secret is shown only in the call that made it."""

    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--partner", required=True, help="the service provider's name")
        parser.add_argument("--tenant", required=True, help="the client organisation's name")
        parser.add_argument("--site", default="", help="a plant's name")
        parser.add_argument("--user", default="", help="a person's e-mail address")
        parser.add_argument("--role", choices=[role.value for role in Role], help="the person's role")
        parser.add_argument("--rotate", action="store_true", help="make new secrets and revoke the earlier ones")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: Any, **options: Any) -> None:
        """Provisions, and prints what stands."""
        _check(options)
        made = tenant_provision(
            partner=options["partner"].strip(),
            tenant=options["tenant"].strip(),
            site=options["site"].strip(),
            email=options["user"].strip(),
            role=Role(options["role"]) if options["role"] else None,
            rotate=options["rotate"],
        )
        self.stdout.write(orjson.dumps(asdict(made)).decode() if options["json"] else _readable(made))


def _check(options: dict[str, Any]) -> None:
    for name in ("partner", "tenant"):
        if not options[name].strip():
            raise CommandError(f"--{name} is empty; give its name.")
    for name in ("partner", "tenant", "site"):
        if len(options[name]) > 120:
            raise CommandError(f"--{name} has {len(options[name])} characters; at most 120 are allowed.")
    if bool(options["user"]) != bool(options["role"]):
        raise CommandError("--user and --role go together: a person needs a role, a role needs a person.")
    if options["user"]:
        try:
            validate_email(options["user"])
        except ValidationError:
            raise CommandError(f"'{options['user']}' is no e-mail address.") from None


def _readable(made: Provisioned) -> str:
    lines = []
    for name, value in asdict(made).items():
        if value is not None:
            lines.append(f"{name.replace('_', ' '):<12} {value}")
        elif name in ("ingest_key", "api_token"):
            lines.append(f"{name.replace('_', ' '):<12} made earlier and not shown again; --rotate makes a new one")
    if any(getattr(made, name) for name in _SECRETS):
        lines.append("Keep the secrets now: they are not shown again.")
    return "\n".join(lines)
