"""CSV files that a spreadsheet opens as data, never as formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from django.http import HttpResponse

Cell: TypeAlias = "str | int | float | Decimal | datetime | None"

#: A file holds this many rows at most; a filter narrows what does not fit.
MAX_ROWS = 10_000
#: What Excel, LibreOffice and Google Sheets take for the start of a formula, full-width forms included.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def safe_cell(cell: Cell) -> str:
    """Write one cell. Text that a spreadsheet would run is marked as text; numbers and instants stay themselves."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="milliseconds")
    if not isinstance(cell, str):
        return str(cell)
    text = cell.replace("\x00", "")
    # Spreadsheets skip blanks before they look for a formula, so blanks don't hide one here either.
    return f"'{text}" if text.startswith(_FORMULA_STARTS) or text.lstrip().startswith(_FORMULA_STARTS) else text


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Write header and rows; every cell quoted, so separators and line breaks inside a cell stay inside it."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def csv_answer(name: str, header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> HttpResponse:
    """Answer with a file. One that had to be cut says so in its name, where nobody overlooks it."""
    kept = rows[:MAX_ROWS]
    stem = name if len(rows) <= MAX_ROWS else f"{name}-first-{MAX_ROWS}"
    # The byte order mark is what makes Excel read UTF-8.
    answer = HttpResponse("\ufeff" + csv_text(header, kept), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{stem}.csv"'
    answer["Cache-Control"] = "no-store"
    return answer
