"""Log lines as JSON, each with the request id and the tenant it belongs to."""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime

import orjson

request_id: ContextVar[str] = ContextVar("andon_request_id", default="")
tenant_of_request: ContextVar[int | None] = ContextVar("andon_request_tenant", default=None)

_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}
#: Characters that JSON lets stand and that some readers take for the end of a line.
_LINE_ENDS = ("\x7f", "\x85", "\u2028", "\u2029")
#: Words in a field's name that mean its value must not be written down.
_SECRET = ("password", "secret", "token", "authorization", "cookie", "digest")


class JsonFormatter(logging.Formatter):
    """One JSON object a line; line breaks in messages are escaped, so nobody can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if identifier := request_id.get():
            line["request_id"] = identifier
        if (tenant := tenant_of_request.get()) is not None:
            line["tenant"] = tenant
        for name, value in record.__dict__.items():
            if name not in _OWN and not name.startswith("_"):
                line[name] = "(hidden)" if any(word in name.lower() for word in _SECRET) else value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _one_line(line)


def _one_line(line: dict[str, object]) -> str:
    try:
        text = orjson.dumps(line, default=str).decode()
    except TypeError:
        # Lone surrogates and integers beyond 64 bits: whatever was said, a line must come of it.
        return json.dumps(line, default=str)
    for mark in _LINE_ENDS:
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text
