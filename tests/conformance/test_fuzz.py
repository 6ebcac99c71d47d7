"""No body ends in anything but records or a declared error; the long form is `python -m tests.conformance.fuzz`."""

from __future__ import annotations

import pytest

from tests.conformance import fuzz


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_changed_bodies_are_taken_partly_taken_or_refused_in_words(seed: int) -> None:
    outcomes = fuzz.fuzz(20, seed, most=1_500)
    # A mutation that were refused each time would prove nothing about what comes behind the first check.
    assert {"taken", "partly", "MalformedPayload"} <= set(outcomes)


def test_an_error_that_nobody_declared_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a decoder with a fault."""

    def faulty(*_: object) -> None:
        raise KeyError("spans")

    monkeypatch.setattr(fuzz, "decode", faulty)
    with pytest.raises(AssertionError, match="KeyError"):
        fuzz.fuzz(5, 1, most=3)
