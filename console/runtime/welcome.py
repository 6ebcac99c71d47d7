"""What stands on the terminal once the console is ready: its address and who can sign in."""

from __future__ import annotations

import json
from pathlib import Path

_COLUMNS = ("email", "password", "role", "sees")


def sign_ins(home: Path) -> list[dict[str, str]]:
    """The demo's people, as the demo wrote them down; none where there is no demo."""
    try:
        people: list[dict[str, str]] = json.loads((home / "demo.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return people


def welcome(url: str, people: list[dict[str, str]]) -> str:
    """The closing lines of a start."""
    ready = f"Andon is ready: {url}"
    if not people:
        hint = ".venv/bin/python manage.py provision --partner NAME --tenant NAME --user EMAIL --role ROLE"
        return f"{ready}\nNobody can sign in yet? Make the first tenant and person: {hint}"
    rows = [_COLUMNS, *(tuple(person.get(column, "") for column in _COLUMNS) for person in people)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([ready, "", *(f"  {line}" for line in table)])
