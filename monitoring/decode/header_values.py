"""CloudEvents attributes out of HTTP headers: quoting, one round of percent-decoding, and what SDKs get wrong.

The Python SDK percent-encodes as the HTTP binding says; the JavaScript SDK sends raw UTF-8 and bare percent signs.
Both read the same here.
"""

from __future__ import annotations

import re

_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BACKSLASHED = re.compile(r"\\(.)")


def header_text(value: str) -> str:
    """The attribute that a header value carries; `value` is the header's bytes decoded as Latin-1.

    Raises ValueError if a percent-encoded run is not UTF-8 in its shortest form. A percent sign that starts no
    escape stands for itself, and raw bytes that are not UTF-8 are taken for Latin-1.
    """
    text = _unescaped(_utf8(value.strip(" \t")))
    return _ESCAPED.sub(_decoded, text)


def _utf8(value: str) -> str:
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _unescaped(text: str) -> str:
    # Only a value that is one quoted string as a whole: SDKs that do not encode quotes mean the ones inside.
    match = _QUOTED.fullmatch(text)
    return _BACKSLASHED.sub(r"\1", match[1]) if match else text


def _decoded(match: re.Match[str]) -> str:
    run = match[0]
    try:
        return bytes.fromhex(run.replace("%", "")).decode()
    except UnicodeDecodeError:
        raise ValueError(f"{run[:60]!r} is not UTF-8 in its shortest form") from None
