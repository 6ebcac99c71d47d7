"""Names of queues and topics: which hold dead letters by convention, and which only sound like it."""

from __future__ import annotations

import pytest

from monitoring.destinations import is_dead_letter, takes_dead_letters


@pytest.mark.parametrize(
    "name",
    ["orders-dlq.fifo", "orders-dead-letter-topic", "orders-dead-letter-queue", "orders-poison", "orders.DLT",
     "orders/$DeadLetterQueue"],
)  # fmt: skip
def test_it_knows_the_dead_letter_queues_of_each_broker(name: str) -> None:
    assert is_dead_letter(name)
    assert takes_dead_letters(name)


@pytest.mark.parametrize(
    "name", ["orders.fifo", "poison-control", "orders-dead-letter-topics-report", "orders-error", "", " "]
)
def test_it_takes_no_other_name_for_one(name: str) -> None:
    assert not is_dead_letter(name)
    assert not takes_dead_letters(name)


def test_it_takes_plain_error_for_one_only_where_messages_are_sent_to_it() -> None:
    assert takes_dead_letters("error")
    assert not is_dead_letter("error")
