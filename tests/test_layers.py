"""The house rules that a tool can hold: imports go down only, and no file or function outgrows its noun."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

PROJECT = Path(__file__).resolve().parent.parent
APPS = ("console", "governance", "monitoring", "partners")
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60


def test_imports_go_down_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    assert lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS


def test_an_import_that_goes_up_is_caught(tmp_path: Path) -> None:
    for name, text in {"high": "import low\n", "low": "import high\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text)
    rules = '[tool.importlinter]\nroot_packages = ["high", "low"]\n'
    rules += '[[tool.importlinter.contracts]]\nname = "floors"\ntype = "layers"\nlayers = ["high", "low"]\n'
    (tmp_path / "pyproject.toml").write_text(rules)
    command = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "low is not allowed to import high" in done.stdout


def test_no_file_passes_400_lines() -> None:
    long = [str(path) for path in _sources() if len(path.read_text().splitlines()) > MOST_LINES_OF_A_FILE]
    assert long == []


def test_no_function_passes_60_lines() -> None:
    long = [
        f"{path}:{node.name}"
        for path in _sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MOST_LINES_OF_A_FUNCTION
    ]
    assert long == []


def _sources() -> Iterator[Path]:
    for app in (*APPS, "tests", "bench"):
        yield from (path for path in (PROJECT / app).rglob("*.py") if "migrations" not in path.parts)
