"""The contract of a channel's transport: one method, and two ways to fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class TemporaryFailure(RuntimeError):
    """It may work later; the notification is tried again."""


class PermanentFailure(RuntimeError):
    """It will never work as things stand; the notification fails with this reason."""


class NotConfigured(RuntimeError):
    """This installation has no means for the channel; the notification is suppressed with this reason."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be told, in every form a transport may need."""

    id: str  # stable over all tries
    event: str  # "raised" or "resolved"
    subject: str
    text: str
    payload: dict[str, object]


class Transport(Protocol):
    """Carries a message to one target."""

    def send(self, target: str, secret: str, message: Message) -> None:
        """Deliver or raise one of the failures above."""
