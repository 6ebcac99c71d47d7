"""Log lines: one JSON object each, whatever was said."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from contextvars import Context
from typing import Any

import pytest

from console.embedded.home import PROJECT
from console.logs import JsonFormatter, request_id, tenant_of_request


def line(message: str, *arguments: object, **extra: object) -> str:
    record = logging.getLogger("tests").makeRecord("tests", logging.INFO, "f", 1, message, arguments, None, extra=extra)
    return JsonFormatter().format(record)


def said(message: str, *arguments: object, **extra: object) -> Any:
    return json.loads(line(message, *arguments, **extra))


def test_it_says_when_where_how_bad_and_what() -> None:
    found = said("took %d spans", 7)
    assert (found["level"], found["logger"], found["message"]) == ("info", "tests", "took 7 spans")
    assert found["at"].endswith("+00:00")


def test_it_carries_the_request_and_the_tenant() -> None:
    def asked() -> Any:
        request_id.set("r-1")
        tenant_of_request.set(7)
        return said("asked")

    found = Context().run(asked)
    assert (found["request_id"], found["tenant"]) == ("r-1", 7)
    assert "request_id" not in Context().run(said, "nobody asked")


@pytest.mark.parametrize(
    "mark", ["\r\n", "\n", "\r", "\x1b[31m", "\u2028", "\u2029", "\x85", "\x7f", "\x0b", "\x0c", "\x00"], ids=repr
)
def test_it_lets_nobody_forge_a_line_or_paint_a_terminal(mark: str) -> None:
    text = f'seen{mark}{{"level":"critical","message":"forged"}}'
    found = line("%s", text, unit=text)
    assert found.isprintable()
    assert len(found.splitlines()) == 1
    assert (json.loads(found)["message"], json.loads(found)["unit"]) == (text, text)


@pytest.mark.parametrize("value", ["\ud800 alone", 2**80, {"a", "b"}, object(), b"bytes", {1: "one"}, float("nan")])
def test_it_writes_a_line_whatever_it_is_given(value: object) -> None:
    assert json.loads(line("odd: %s", "value", value=value))["message"] == "odd: value"


def test_it_writes_a_line_about_text_that_is_no_text() -> None:
    assert said("lone \udcff surrogate")["message"] == "lone \udcff surrogate"


@pytest.mark.parametrize("name", ["password", "api_token", "Authorization", "session_cookie", "secret", "digest"])
def test_it_hides_the_values_of_secrets(name: str) -> None:
    assert "hunter2" not in line("signed in", **{name: "hunter2"})


def test_it_keeps_an_exception_in_its_line() -> None:
    record = logging.LogRecord("tests", logging.ERROR, "f", 1, "broke", (), (ValueError, ValueError("why\nso"), None))
    found = JsonFormatter().format(record)
    assert len(found.splitlines()) == 1
    assert "ValueError: why" in json.loads(found)["exception"]


def test_it_writes_warnings_as_lines_and_leaves_out_the_one_about_static_files() -> None:
    program = (
        "import django, warnings; django.setup(); warnings.warn('an odd\\nthing');"
        "warnings.warn('StreamingHttpResponse must consume synchronous iterators in order to', Warning)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "console.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    (found,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (found["logger"], found["level"]) == ("py.warnings", "warning")
    assert "UserWarning: an odd\nthing" in found["message"]


def test_a_formatter_that_writes_what_it_is_told_is_caught() -> None:
    """The control: plain logging lets the second line through."""
    record = logging.LogRecord("tests", logging.INFO, "f", 1, "seen\nforged", (), None)
    assert len(logging.Formatter().format(record).splitlines()) == 2
