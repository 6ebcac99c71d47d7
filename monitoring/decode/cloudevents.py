"""CloudEvents 1.0 over HTTP: binary, structured and batch, to event records."""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from monitoring.records import (
    Attributes,
    Decoded,
    Encoding,
    EventRecord,
    MalformedPayload,
    Payload,
    PayloadTooLarge,
    Value,
)

from .event_data import data_of
from .gathered import Gathered
from .header_values import header_text
from .json_body import load
from .limits import LIMITS, Limits
from .timestamps import parse_rfc3339
from .values import Poison, clean_text, clean_value

_log = logging.getLogger(__name__)

#: The longest text inside an event's data that is kept: receivers should take events of 64 KiB and more.
MAX_DATA_TEXT = 256 * 1024
#: `(source, id)` is a database key, and an index entry holds about 2,700 bytes.
MAX_NAME = 1024

_SPECVERSION = "1.0"
_OWN = frozenset({"id", "source", "type", "specversion", "time", "subject", "datacontenttype", "dataschema"})
_NAME = re.compile(r"[a-z0-9]+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MAX_EXTENSION = 2**63 - 1


def decode_events(payload: Payload, limits: Limits = LIMITS) -> Decoded:
    """The payload's events. In a batch a bad event rejects only itself; alone it raises MalformedPayload."""
    gathered = Gathered(replace(limits, items=limits.batch), "events")
    if payload.encoding is Encoding.CLOUDEVENT_BATCH:
        # Every event says its version, and may carry one more in its data: so a flood is known before it is parsed.
        gathered.admit(payload.body.count(b'"specversion"') // 2)
        batch = load(payload.body, limits, keeps_halves=True)
        if not isinstance(batch, list):
            raise MalformedPayload("The body is not a JSON array; a CloudEvents batch is an array of events.")
        gathered.admit(len(batch))
        for item in batch:
            _take(item, payload.received_at, gathered)
        return gathered.decoded()
    try:
        if payload.encoding is Encoding.CLOUDEVENT_BINARY:
            gathered.events.append(_from_headers(payload, limits))
        else:
            found = load(payload.body, limits, keeps_halves=True)
            gathered.events.append(_from_object(found, payload.received_at, limits))
    except Poison as poison:
        raise MalformedPayload(f"The event can't be taken: {poison}.") from None
    return gathered.decoded()


def _take(item: object, received_at: datetime, gathered: Gathered) -> None:
    try:
        gathered.events.append(_from_object(item, received_at, gathered.limits))
        gathered.index += 1
    except Poison as poison:
        _refuse(item, str(poison), gathered)
    except (MalformedPayload, PayloadTooLarge):
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # Nothing that is foreseen: yet the good ones it came with are not sent again and again for it.
        _log.exception("an event could not be read")
        _refuse(item, "the event can't be read", gathered)


def _refuse(item: object, reason: str, gathered: Gathered) -> None:
    event_id = item.get("id") if isinstance(item, dict) else None
    gathered.refuse(reason, event_id[:200] if isinstance(event_id, str) else "")


def _from_headers(payload: Payload, limits: Limits) -> EventRecord:
    attributes: dict[str, object] = {}
    for header, value in payload.headers.items():
        if not header.startswith("ce-"):
            continue
        name = header.removeprefix("ce-")
        if name == "datacontenttype":
            raise Poison("the header ce-datacontenttype is present; in binary mode Content-Type carries it")
        try:
            attributes[name] = header_text(value)
        except ValueError as fault:
            raise Poison(f"the header {header}: {fault}") from None
    if not attributes:
        raise Poison(
            "there are no ce- headers; send ce-id, ce-source, ce-specversion and ce-type, "
            "or a structured event as application/cloudevents+json"
        )
    content_type = payload.headers.get("content-type", "").strip()
    if content_type:
        attributes["datacontenttype"] = content_type
    data = data_of(payload.body, content_type, limits)
    return _event(attributes, clean_value(data, MAX_DATA_TEXT), payload.received_at)


def _from_object(item: object, received_at: datetime, limits: Limits) -> EventRecord:
    if not isinstance(item, dict):
        raise Poison("the event is not a JSON object")
    attributes = {name: value for name, value in item.items() if value is not None}
    data, encoded = attributes.pop("data", None), attributes.pop("data_base64", None)
    if encoded is not None:
        if data is not None:
            raise Poison("the event has both data and data_base64; send one of them")
        content_type = attributes.get("datacontenttype", "")
        data = data_of(_unbase64(encoded), content_type if isinstance(content_type, str) else "", limits)
    return _event(attributes, clean_value(data, MAX_DATA_TEXT), received_at)


def _unbase64(encoded: object) -> bytes:
    if isinstance(encoded, str):
        try:
            return base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error):
            pass
    raise Poison("data_base64 is not base64")


def _event(attributes: Mapping[str, object], data: Value, received_at: datetime) -> EventRecord:
    version = attributes.get("specversion")
    if version != _SPECVERSION:
        given = "missing" if version is None else repr(clean_text(str(version), 20))
        raise Poison(f"specversion is {given}; it must be the text '1.0'")
    time = _text(attributes, "time")
    try:
        instant = parse_rfc3339(time) if time else received_at
    except ValueError as fault:
        raise Poison(f"time: {fault}") from None
    return EventRecord(
        id=_required(attributes, "id"),
        source=_required(attributes, "source"),
        type=_required(attributes, "type"),
        time=instant,
        subject=_text(attributes, "subject"),
        datacontenttype=_text(attributes, "datacontenttype"),
        dataschema=_text(attributes, "dataschema"),
        data=data,
        extensions=_extensions(attributes),
    )


def _required(attributes: Mapping[str, object], name: str) -> str:
    found = attributes.get(name)
    if found is None:
        raise Poison(f"the required attribute {name} is missing")
    if not isinstance(found, str) or not found:
        raise Poison(f"{name} is not a non-empty string")
    if len(found.encode(errors="replace")) > MAX_NAME:
        raise Poison(f"{name} is longer than {MAX_NAME} bytes")
    if _CONTROL.search(found):
        raise Poison(f"{name} holds a control character or half a surrogate pair")
    return found


def _text(attributes: Mapping[str, object], name: str) -> str:
    found = attributes.get(name, "")
    if not isinstance(found, str):
        raise Poison(f"{name} is not a string")
    return clean_text(found)


def _extensions(attributes: Mapping[str, object]) -> Attributes:
    extensions: dict[str, Value] = {}
    for name, value in attributes.items():
        if name in _OWN:
            continue
        if not _NAME.fullmatch(name) or name == "data":
            raise Poison(f"the attribute name {clean_text(name, 60)!r} is not lower-case letters and digits")
        if isinstance(value, str):
            extensions[name] = clean_text(value)
        elif isinstance(value, int) and abs(value) <= _MAX_EXTENSION:
            extensions[name] = value
        else:
            raise Poison(f"the extension {name[:60]} is neither a string, a whole number, true nor false")
    return extensions
