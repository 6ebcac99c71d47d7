"""What a Content-Type says, whoever wrote it."""

from __future__ import annotations

from email.message import Message


def media_type_of(content_type: str) -> tuple[str, str]:
    """The media type and its charset, both in lower case, the charset empty where none is named.

    Raises ValueError for what can't be read: the standard library's reader of MIME headers fails in several ways on
    parameters that are written in pieces or in a charset of their own (RFC 2231).
    """
    parsed = Message()
    try:
        parsed["Content-Type"] = content_type
        charset = parsed.get_param("charset", "")
        media = parsed.get_content_type()
    except (ValueError, TypeError, LookupError, AttributeError) as fault:
        raise ValueError(f"the media type {content_type[:60]!r} can't be read") from fault
    # One that is written in a charset of its own comes as that, a language, and the text.
    said = charset[2] if isinstance(charset, tuple) else charset
    return media, str(said or "").lower()
