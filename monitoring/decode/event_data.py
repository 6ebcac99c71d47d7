"""The data of a CloudEvent by its media type: a JSON value, text, or bytes."""

from __future__ import annotations

from monitoring.records import MalformedPayload

from .json_body import load
from .limits import Limits
from .media_types import media_type_of
from .values import Poison

_CHARSETS = {"utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "utf-8", "iso-8859-1": "latin-1", "latin1": "latin-1"}


def data_of(data: bytes, content_type: str, limits: Limits) -> object:
    """The bytes as their media type says; raises Poison if they are declared as JSON and are none.

    Without a media type the bytes are read as JSON, else as text, else kept: the Python SDK sends none for JSON.
    """
    if not data:
        return None
    if not content_type:
        return _guessed(data, limits)
    try:
        media, charset = media_type_of(content_type)
    except ValueError as fault:
        raise Poison(str(fault)) from None
    if media in ("application/json", "text/json") or media.endswith("+json"):
        try:
            return load(data, limits)
        except MalformedPayload as fault:
            raise Poison(f"the data is declared as {media}: {fault}") from None
    if media.startswith("text/") or media == "application/xml" or media.endswith("+xml"):
        return _text(data, charset or "utf-8")
    return data


def _text(data: bytes, charset: str) -> str | bytes:
    codec = _CHARSETS.get(charset)
    return data.decode(codec, errors="replace") if codec else data


def _guessed(data: bytes, limits: Limits) -> object:
    try:
        return load(data, limits)
    except MalformedPayload:
        pass
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
