"""Who can sign in to the demo: one role address for each role, with passwords that this installation alone knows."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.hashers import make_password

from console.plant.files import read_json, write_json
from partners.models import Tenant, User
from partners.roles import Role
from partners.scope import installation_scope
from partners.services import membership_ensure, user_ensure

FILE = "demo.json"
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(frozen=True, slots=True)
class SignIn:
    """A person of the demo. A partner's role reaches every tenant of the partner that `tenant` belongs to."""

    email: str
    name: str
    role: Role
    tenant: str
    sees: str


SIGN_INS = (
    SignIn(
        "operations-desk@nordwerk.example",
        "Operations desk Nordwerk",
        Role.PARTNER_OPERATOR,
        "donauwehr-antriebe",
        "the fleet: Donauwehr Antriebe, Valdecanto Envases",
    ),
    SignIn(
        "platform@rhein-systems.example",
        "Platform team Rhein Systems",
        Role.PARTNER_ADMIN,
        "lakebend-gear-works",
        "the fleet: Lakebend Gear Works, Tuasbay Precision",
    ),
    SignIn(
        "plant-it@donauwehr.example",
        "Plant IT Donauwehr",
        Role.TENANT_ADMIN,
        "donauwehr-antriebe",
        "Donauwehr Antriebe, all of it",
    ),
    SignIn(
        "order-desk@ulm.example",
        "Order desk Ulm",
        Role.PROCESS_OWNER,
        "donauwehr-antriebe",
        "the board of Donauwehr Antriebe, its own order release in Ulm",
    ),
    SignIn(
        "integration@donauwehr.example",
        "Integration team Donauwehr",
        Role.INTEGRATION_ENGINEER,
        "donauwehr-antriebe",
        "dead letters, retry storms and payloads of Donauwehr Antriebe",
    ),
    SignIn(
        "compliance@donauwehr.example",
        "Compliance office Donauwehr",
        Role.COMPLIANCE_OFFICER,
        "donauwehr-antriebe",
        "records and evidence of Donauwehr Antriebe",
    ),
    SignIn(
        "management@donauwehr.example",
        "Management Donauwehr",
        Role.EXECUTIVE,
        "donauwehr-antriebe",
        "figures of Donauwehr Antriebe",
    ),
    SignIn(
        "edi@sup-2041.example",
        "EDI desk of supplier SUP-2041",
        Role.SUPPLIER,
        "donauwehr-antriebe",
        "supplier orders and notices of Ulm, nothing else",
    ),
)
#: The process that the supplier's desk is granted, by tenant and short name.
SUPPLIER_PROCESS = ("donauwehr-antriebe", "supplier-asn-ulm")


def people_ensure(home: Path, tenants: Mapping[str, Tenant], *, actor: str) -> None:
    """Makes who is missing and writes demo.json. A person who exists keeps the password, unless nobody knows it."""
    kept = {entry["email"]: entry["password"] for entry in read_json(home / FILE) or ()}
    users = {user.email: user for user in User.objects.filter(email__in=[person.email for person in SIGN_INS])}
    fresh = [person for person in SIGN_INS if person.email not in users or person.email not in kept]
    passwords = {person.email: kept.get(person.email) or _password() for person in SIGN_INS}
    # Hashing takes a third of a second each and leaves the interpreter free, so two go at once.
    with ThreadPoolExecutor(max_workers=2) as pool:
        hashes = list(pool.map(make_password, [passwords[person.email] for person in fresh]))
    for person, hashed in zip(fresh, hashes, strict=True):
        user, _ = user_ensure(email=person.email, name=person.name, actor=actor)
        with installation_scope(actor=actor, reason="demo sign-in"):
            user.password = hashed
            user.save(update_fields=["password"])
        membership_ensure(user=user, role=person.role, tenant=tenants[person.tenant], actor=actor)
    if fresh:
        write_json(home / FILE, [_entry(person, passwords[person.email]) for person in SIGN_INS])


def _entry(person: SignIn, password: str) -> dict[str, str]:
    return {"email": person.email, "password": password, "role": person.role.value, "sees": person.sees}


def _password() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(16))
