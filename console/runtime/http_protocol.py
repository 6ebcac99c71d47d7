"""HTTP/1.1 as uvicorn speaks it with httptools, but for five things that a sender would lose by, or could hurt others
with.

A request may offer to go on in another protocol (`Upgrade: h2c`, as some HTTP clients do with each first request): the
offer is passed over and the request answered, body and all. Fields after a chunked body are no headers. A head has a
size and an end: what is larger than the one, or comes later than the other, is refused. A sender that closes its half
of the connection after a whole request is answered.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar, TypeAlias

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Fields of one head, and bytes that it may have. A browser with its cookies sends a tenth of either.
_MOST_FIELDS, _MOST_BYTES = 200, 64 << 10
#: So long a connection may take until it has said what it wants, from its opening or from the first word of it.
_PATIENCE_S = 10.0
#: What speaks of the protocol offered, and of nothing else.
_OFFER = (b"upgrade", b"http2-settings")
#: What is asked for without saying anything may be a stream; whoever closes then has left.
_ASKING = ("GET", "HEAD")


#: Path, fields as far as they came, status and words of an answer; its content type and body, None for plain words.
Unreadable: TypeAlias = "staticmethod[[str, Sequence[tuple[bytes, bytes]], int, str], tuple[str, bytes] | None]"


class _HeadTooLarge(Exception):
    """The head passes what it may have."""


class HttpProtocol(HttpToolsProtocol):
    """One connection. `unreadable` is told of requests that no application is asked about, and words the answer."""

    unreadable: ClassVar[Unreadable] = staticmethod(lambda *_: None)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._is_in_head = False
        self._declines = False
        self._has_said = False
        self._messages = 0
        self._head_bytes = 0
        self._late: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless what came before could not be read."""
        if self._has_said:
            return
        self._unset_keepalive_if_required()
        messages = self._messages
        try:
            self._feed(memoryview(data))
            if self._is_in_head and messages == self._messages:
                # A line that has no end is told of by nobody.
                self._count(len(data))
        except (httptools.HttpParserError, _HeadTooLarge) as error:
            self._refuse(error)
        else:
            if self._late is None and (self.cycle is None or self.cycle.response_complete):
                self._wait()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The sender has said all. Return whether the connection stays for what is still to be answered."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body or self.scope["method"] in _ASKING:
            return False
        # Nobody is left to say more; an answer that finds nobody either ends with the connection.
        cycle.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._is_in_head = True
        self._messages += 1
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Part of what is asked for."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field of the head; or a trailer, which could say otherwise what the head has said."""
        if self._is_in_head:
            self._count(len(name) + len(value))
            if len(self.headers) >= _MOST_FIELDS:
                raise _HeadTooLarge
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._is_in_head = False
        self._wait_no_more()
        # The parser takes what follows for the other protocol's, and ends its work here.
        self._declines = self.parser.should_upgrade()
        if not self._declines:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is whole."""
        if not self._declines:
            super().on_message_complete()

    def _feed(self, data: memoryview) -> None:
        """Read all of it. One piece may hold thousands of offers, so none is a step deeper or a copy of the rest."""
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
                head = self._without_offer()
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                self.parser.feed_data(head)
            else:
                return

    def _without_offer(self) -> bytes:
        """The head that was just read, without what speaks of another protocol."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise httptools.HttpParserError("this is no proxy")
        self._declines = False
        lines = [b"%s %s HTTP/%s" % (method, self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            kept = _other_options(value) if name == b"connection" else value
            if name not in _OFFER and (kept or name != b"connection"):
                lines.append(b"%s: %s" % (name, kept))
        return b"\r\n".join([*lines, b"", b""])

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _MOST_BYTES:
            raise _HeadTooLarge

    def _refuse(self, error: Exception) -> None:
        # httptools wraps what one of these methods raises.
        if isinstance(error, _HeadTooLarge) or isinstance(error.__context__, _HeadTooLarge):
            self.logger.warning("A request's head was larger than %d bytes or %d fields.", _MOST_BYTES, _MOST_FIELDS)
            self._say(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's head is too large.")
            return
        self.logger.warning("Invalid HTTP request received: %s", error)
        self._say(HTTPStatus.BAD_REQUEST, f"This can't be read as HTTP/1.1: {error}.")

    def _wait(self) -> None:
        self._late = self.loop.call_later(_PATIENCE_S, self._too_late)

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        self._late = None
        if self._is_in_head:
            self._say(HTTPStatus.REQUEST_TIMEOUT, "The request's head did not arrive in time.")
        elif not self.transport.is_closing():
            self.transport.close()

    def _say(self, status: HTTPStatus, message: str) -> None:
        """Answer what never became a request, and hang up; where a whole request before it is still worked on, after
        that one's answer, and without another that would be taken for it."""
        if self._has_said or self.transport.is_closing():
            return
        self._has_said = True
        path = self.url.partition(b"?")[0].decode("latin-1") if self._messages else ""
        answer = self.unreadable(path, self.headers, status.value, message) if path else None
        if self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body:
            self.cycle.keep_alive = False
            return
        kind, body = answer or ("text/plain; charset=utf-8", message.encode())
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {kind}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def _other_options(connection: bytes) -> bytes:
    options = (option.strip() for option in connection.split(b","))
    return b", ".join(option for option in options if option.lower() not in _OFFER)
