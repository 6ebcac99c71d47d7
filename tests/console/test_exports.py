"""A spreadsheet opens our CSV as data: no cell runs as a formula, none breaks out of its cell."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.exports import MAX_ROWS, csv_answer, csv_text, safe_cell


@pytest.mark.parametrize(
    "hostile",
    ["=1+1", "+49 30 1234", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "|calc", "%0A", "\uff1d1", "\xa0=1"],
)
def test_it_marks_formulas_as_text(hostile: str) -> None:
    assert safe_cell(hostile) == f"'{hostile}"


def test_it_leaves_numbers_instants_and_plain_text_alone() -> None:
    assert [safe_cell(cell) for cell in (-3, 2.5, Decimal("-12.50"), None, "order 4711", "a=b")] == [
        "-3",
        "2.5",
        "-12.50",
        "",
        "order 4711",
        "a=b",
    ]
    assert safe_cell(datetime(2026, 3, 1, 12, 0, tzinfo=UTC)) == "2026-03-01T12:00:00.000+00:00"


@given(st.lists(st.lists(st.text(), min_size=3, max_size=3), max_size=5))
def test_no_text_leaves_its_cell_or_starts_a_formula(rows: list[list[str]]) -> None:
    back = list(csv.reader(io.StringIO(csv_text(["a", "b", "c"], rows), newline="")))
    assert back[0] == ["a", "b", "c"]
    assert len(back) == len(rows) + 1
    for row in back[1:]:
        assert len(row) == 3
        assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in row)


def test_a_file_that_was_cut_says_so_in_its_name() -> None:
    whole = csv_answer("alerts", ["id"], [[1]])
    cut = csv_answer("alerts", ["id"], [[n] for n in range(MAX_ROWS + 1)])
    assert 'filename="alerts.csv"' in whole["Content-Disposition"]
    assert f'filename="alerts-first-{MAX_ROWS}.csv"' in cut["Content-Disposition"]
    assert cut.content.decode("utf-8-sig").count("\r\n") == MAX_ROWS + 1
