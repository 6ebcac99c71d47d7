"""Which names of queues and topics mean: what lies here is dead until somebody moves it."""

from __future__ import annotations

from functools import lru_cache

#: Endings by convention of RabbitMQ users, SQS, Spring Kafka (`-dlt`), MassTransit (`_error`), Service Bus, Pub/Sub
#: and Azure Functions (`-poison`).
_ENDINGS = (
    ".dlq", "-dlq", "_dlq", ".dlx", "-dlx", ".dead", "-dead", "_dead", ".dlt", "-dlt", "_dlt", "_error", ".error.queue",
    "/$deadletterqueue", "dead-letter", "dead_letter", "deadletter", "dead-letters", "dead_letters", "deadletters",
    "dead-letter-queue", "dead_letter_queue", "deadletterqueue", "dead-letter-topic", "dead_letter_topic",
    "deadlettertopic", "-poison",
)  # fmt: skip
_BEGINNINGS = ("dlq.", "dlq-", "dlq_", "dead.", "dead-", "dead_", "dlt.", "dlt-", "deadletter.", "deadletter-")
_WHOLE = frozenset({"dlq", "dlt", "dlx", "dead"})


@lru_cache(maxsize=4096)
def is_dead_letter(name: str) -> bool:
    """Whether a queue or topic of this name holds dead letters, by its name alone."""
    lowered = name.strip().lower().removesuffix(".fifo")  # SQS wants this ending on every ordered queue.
    return lowered in _WHOLE or lowered.endswith(_ENDINGS) or lowered.startswith(_BEGINNINGS)


def takes_dead_letters(name: str) -> bool:
    """Whether sending to this queue or topic parks a message; NServiceBus sends those it gives up to plain `error`."""
    return is_dead_letter(name) or name.strip().lower() == "error"
