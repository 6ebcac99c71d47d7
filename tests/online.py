"""A tenant of the live console: made in its database, spoken to over HTTP, its rows read with this process's ORM."""

from __future__ import annotations

import http.client
import itertools
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connections
from django.test import override_settings
from psycopg.conninfo import conninfo_to_dict
from pytest_django import DjangoDbBlocker

from monitoring.models import IntakeOutcome
from partners.models import IngestKey, Tenant, User
from partners.roles import Role
from partners.scope import tenant_scope
from partners.services import ingest_key_issue, key_revoke, membership_ensure, user_ensure
from tests.cast import PASSWORD, make_tenant
from tests.live import LiveConsole

_number = itertools.count(1)
_ACTOR = "system:tests"
JSON, PROTOBUF = "application/json", "application/x-protobuf"


@dataclass(frozen=True, slots=True)
class Answered:
    """What the console answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Online:
    """One tenant of a live console and an ingest key of it."""

    def __init__(self, console: LiveConsole, blocker: DjangoDbBlocker, name: str) -> None:
        self.console = console
        self._blocker = blocker
        with self.orm():
            self.tenant: Tenant = make_tenant(f"{name} {next(_number)}")
            self._key, new = ingest_key_issue(tenant_id=self.tenant.pk, label="tests", actor=_ACTOR)
        self.key = new.text

    @contextmanager
    def orm(self) -> Iterator[None]:
        """This process's ORM on the live console's database."""
        connection = connections["default"]
        own = connection.settings_dict["NAME"]
        connection.close()
        connection.settings_dict["NAME"] = conninfo_to_dict(self.console.env["DATABASE_URL"])["dbname"]
        try:
            with self._blocker.unblock():
                yield
        finally:
            connection.close()
            connection.settings_dict["NAME"] = own

    @contextmanager
    def rows(self) -> Iterator[None]:
        """The tenant's rows, to read or to make."""
        with self.orm(), tenant_scope(self.tenant.pk, actor=_ACTOR):
            yield

    def wait_until_counted(self, count: int, **kind: object) -> None:
        """Wait until so many of the tenant's requests stand in the account of intake under these fields."""
        deadline = time.monotonic() + 15
        while (found := self._counted(kind)) != count:
            assert time.monotonic() < deadline, f"{found} were counted"
            time.sleep(0.2)

    def _counted(self, kind: Mapping[str, object]) -> int:
        with self.rows():
            return sum(IntakeOutcome.objects.filter(**kind).values_list("requests", flat=True))

    def person(self, role: Role = Role.TENANT_ADMIN) -> User:
        """Somebody who can sign in with the cast's password."""
        with self.orm(), override_settings(PASSWORD_HASHERS=[f"{__name__}.QuickHasher"]):
            email = f"person-{next(_number)}@aster.example"
            user, _ = user_ensure(email=email, password=PASSWORD, actor=_ACTOR)
            membership_ensure(user=user, role=role, tenant=self.tenant, actor=_ACTOR)
        return user

    def revoke(self) -> None:
        """Make the ingest key worthless."""
        with self.orm():
            key: IngestKey = self._key
            key_revoke(key=key, actor=_ACTOR)

    def post(self, path: str, body: Any, content_type: str = JSON, *, key: str | None = None, **more: str) -> Answered:
        """POST with the tenant's key (or another; empty: none); `more` are headers with _ for -."""
        headers = {"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in more.items()}}
        given = self.key if key is None else key
        if given:
            headers["Authorization"] = f"Bearer {given}"
        return self.ask("POST", path, body, headers)

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answered:
        """Ask the console; a body that is an iterator goes out in chunks, without Content-Length."""
        connection = http.client.HTTPConnection("127.0.0.1", self.console.port, timeout=30)
        try:
            chunked = not isinstance(body, bytes | None)
            connection.request(method, path, body, dict(headers or {}), encode_chunked=chunked)
            answer = connection.getresponse()
            return Answered(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def session(self, user: User) -> str:
        """Sign in over the sign-in page; the Cookie header of the session."""
        page = self.ask("GET", "/accounts/login/")
        token = page.headers["set-cookie"].split("andon-csrf=")[1].split(";")[0]
        hidden = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page.body)
        form = {
            "login": user.email,
            "password": PASSWORD,
            "csrfmiddlewaretoken": hidden[1].decode() if hidden else token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"andon-csrf={token}"}
        answer = self.ask("POST", "/accounts/login/", urlencode(form).encode(), headers)
        assert answer.status == 302, answer.body[:2000]
        cookies = re.search(r"\bandon=([^;]+)", answer.headers["set-cookie"])
        assert cookies is not None
        return f"andon={cookies[1]}"


class QuickHasher(PBKDF2PasswordHasher):
    """A hash that the live console can verify and that costs no time to make."""

    iterations = 1
