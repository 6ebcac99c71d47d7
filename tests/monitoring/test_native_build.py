"""Compiling the walk of traces: done where it can be, said in a line where not, and never in the way."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from monitoring.decode import native
from monitoring.decode.native import build
from tests.conformance.both_ways import compiled


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources, with nothing built."""
    for source in [*build.HERE.glob("*.pyx"), *build.HERE.glob("*.pxi")]:
        shutil.copy(source, tmp_path)
    monkeypatch.setattr(build, "HERE", tmp_path)
    return tmp_path


@compiled
def test_what_is_built_is_found_where_this_python_looks_for_it(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not build.is_current()
    build.main()
    assert build.is_current()
    assert capsys.readouterr().out == "Compiled the reading of traces.\n"
    build.main()
    assert capsys.readouterr().out == ""
    assert [path.name for path in elsewhere.iterdir() if path.suffix in (".so", ".new", ".c")] == [build.target().name]


@compiled
def test_it_is_built_anew_when_a_source_changes(elsewhere: Path) -> None:
    build.target().write_bytes(build.digest().encode())
    assert build.is_current()
    (elsewhere / "wire.pxi").write_text("# changed\n")
    assert not build.is_current()


def test_without_a_compiler_it_says_what_is_missing(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(build, "headers", lambda: elsewhere)
    build.main()
    assert capsys.readouterr().out == (
        "Not compiled, because there is no C compiler (Debian, Ubuntu: apt-get install gcc): "
        "traces are read in Python, correctly and more slowly.\n"
    )


def test_without_headers_it_says_where_it_looked(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(elsewhere))
    build.main()
    assert f"Python's headers are not in {elsewhere} (Debian, Ubuntu: apt-get install python3-dev)" in (
        capsys.readouterr().out
    )


def test_what_the_compiler_says_is_passed_on(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "wire.pxi").write_text("cdef nonsense\n")
    monkeypatch.setattr(build, "compiler", lambda: ["cc"])
    monkeypatch.setattr(build, "headers", lambda: elsewhere)
    build.main()
    assert capsys.readouterr().out.startswith("Not compiled, because ")
    assert not build.target().exists()


@compiled
def test_what_was_compiled_from_other_sources_is_not_used(tmp_path: Path) -> None:
    shutil.copytree(
        build.HERE.parents[1], tmp_path / "monitoring", ignore=lambda _, names: [n for n in names if n == "__pycache__"]
    )
    with (tmp_path / "monitoring" / "decode" / "native" / "wire.pxi").open("a") as source:
        source.write("# changed\n")
    asked = "from monitoring.decode import native; print(native.ABSENT)"
    said = subprocess.run([sys.executable, "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout == "it was compiled from other sources; make install compiles it again\n"
    assert native.ABSENT == ""
