"""Reads a JSON body within limits: counts first, parses then, and rescues what strict parsers refuse whole."""

from __future__ import annotations

import contextlib
import json
import math
import re

import orjson

from monitoring.records import MalformedPayload, PayloadTooLarge

from .limits import Limits, refusal

_CHUNK = 1 << 18
#: Whatever does not begin a value: dropping it, to see how much is left, takes a fifth of what counting a comma and
#: two brackets takes.
_NO_STRUCTURE = bytes(set(range(256)).difference(b",{["))
#: An escape of half a surrogate pair after any number of escaped backslashes: with its other half, or alone. What is
#: possessive is not tried again, so that a body of nothing but backslashes is gone through once.
_ESCAPES = re.compile(
    r"\\(?<!\\\\)(?:\\\\)*+u[dD](?:[89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|([89a-fA-F][0-9a-fA-F]{2}))"
)
#: Python refuses to read integers of more than 4,300 digits; none of more than this many means anything here.
_LONGEST_INTEGER = 40
_LONGEST_DOUBLE = 400
#: Finding the one value costs 20 ns a byte, and half a microsecond for each escape.
_LONGEST_RESCUED, _MOST_ESCAPES = 16 << 20, 200_000


def load(body: bytes, limits: Limits, *, keeps_halves: bool = False) -> object:
    """The JSON value in the body. Raises PayloadTooLarge before parsing what expands too far, else MalformedPayload.

    Of a key that stands twice the last value counts. NaN, Infinity and numbers beyond a double are read as floats,
    lone surrogates as U+FFFD, so that one such value does not cost the sender the whole body, unless that is very long
    or full of escapes. With `keeps_halves` lone surrogates stay what they are, where they are part of a name that is
    not to be taken for another.
    """
    if _structure(body) > limits.json_values and _exceeds(body, limits.json_values):
        raise PayloadTooLarge(refusal("JSON values", limits.json_values))
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        reason = str(fault)
    # To look for one first is cheap: counting goes through all of a body that has none, too.
    has_escapes = b"\\" in body
    if len(body) > _LONGEST_RESCUED or (has_escapes and body.count(b"\\") > _MOST_ESCAPES):
        raise MalformedPayload(f"The body is not JSON: {reason}.")
    try:
        text = body.decode("utf-8-sig")
        if has_escapes and not keeps_halves and ("\\ud" in text or "\\uD" in text):
            text = _ESCAPES.sub(_with_half_replaced, text)
            with contextlib.suppress(orjson.JSONDecodeError):
                return orjson.loads(text)
        return json.loads(text, parse_int=_integer)
    except UnicodeDecodeError as fault:
        raise MalformedPayload(f"The body is not UTF-8 at byte {fault.start}; JSON is sent as UTF-8.") from None
    except (ValueError, RecursionError):
        raise MalformedPayload(f"The body is not JSON: {reason}.") from None


def _with_half_replaced(escape: re.Match[str]) -> str:
    return escape[0][: -len(r"\ud800")] + r"\ufffd" if escape[1] else escape[0]


def _integer(digits: str) -> int | float:
    if len(digits) <= _LONGEST_INTEGER:
        return int(digits)
    # A double ends at 10^308; reading millions of digits to find that out would take long.
    return float(digits) if len(digits) <= _LONGEST_DOUBLE else math.copysign(math.inf, -1 if digits[0] == "-" else 1)


def _structure(text: bytes) -> int:
    """How many commas, objects and arrays there are, those in strings as well; found in pieces, to stay small."""
    pieces = (text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK))
    return sum(len(piece.translate(None, _NO_STRUCTURE)) for piece in pieces)


def _exceeds(body: bytes, most: int) -> bool:
    """Whether more than `most` commas, objects and arrays stand outside of strings; read in pieces, to stay small."""
    count, inside, start = 0, False, 0
    while start < len(body) and count <= most:
        piece = body[start : start + _CHUNK]
        # A piece that ends in an open escape takes the escaped character along.
        escapes = len(piece) - len(piece.rstrip(b"\\"))
        stop = start + _CHUNK + escapes % 2
        piece = body[start:stop].replace(b"\\\\", b"").replace(b'\\"', b"")
        parts = piece.split(b'"')
        count += _structure(b'"'.join(parts[inside::2]))
        inside ^= len(parts) % 2 == 0
        start = stop
    return count > most
