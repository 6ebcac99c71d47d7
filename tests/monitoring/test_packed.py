"""Ids in a column of bytes come out as they went in, in their order."""

from __future__ import annotations

import pytest

from monitoring.models import Run
from monitoring.models.packed import packed, unpacked
from tests.cast import Member
from tests.rows import make_run


def test_an_id_takes_eight_bytes() -> None:
    assert packed([1, 2**52]) == bytes.fromhex("0000000000000001 0010000000000000")
    assert unpacked(b"") == ()


@pytest.mark.parametrize("ids", [[], [7], [2**52 + 1, 3, 3]])
def test_a_row_gives_back_what_it_was_given(owner: Member, ids: list[int]) -> None:
    with owner.scope():
        run = make_run(intakes=ids)
        assert Run.objects.get(pk=run.pk).intakes == ids
        Run.objects.update(intakes=[*ids, 9])
        assert Run.objects.values_list("intakes", flat=True).get() == [*ids, 9]
