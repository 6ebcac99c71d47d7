"""Compiling what intake spends its time in: done where it can be, said in a line where not, and never in the way."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from monitoring import INTERPRETED
from monitoring.decode import native
from monitoring.decode.native import build
from monitoring.native import build as everything
from monitoring.native import modules, toolchain
from tests.conformance.both_ways import compiled


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources, with nothing built."""
    for source in [*build.HERE.glob("*.pyx"), *build.HERE.glob("*.pxi")]:
        shutil.copy(source, tmp_path)
    monkeypatch.setattr(build, "HERE", tmp_path)
    monkeypatch.setattr(modules, "BUILT", tmp_path / "built")
    # One that imports nothing of ours.
    monkeypatch.setattr(modules, "NAMES", ("monitoring.spans_once",))
    return tmp_path


@compiled
def test_what_is_built_is_found_where_this_python_looks_for_it(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not build.is_current()
    everything.main()
    assert build.is_current()
    assert capsys.readouterr().out == "Compiled the reading of traces.\nCompiled the main line of intake.\n"
    everything.main()
    assert capsys.readouterr().out == ""
    assert [path.name for path in elsewhere.iterdir() if path.suffix in (".so", ".new", ".c")] == [build.target().name]
    assert sorted(path.name for path in modules.folder().iterdir()) == [
        f"{name}{toolchain.suffix()}" for name in (modules.LIBRARY, "monitoring.spans_once")
    ]


@compiled
def test_what_was_built_before_is_dropped_once_the_new_is_there(elsewhere: Path) -> None:
    before = modules.BUILT / "of-other-sources"
    before.mkdir(parents=True)
    everything.main()
    assert list(modules.BUILT.iterdir()) == [modules.folder()]


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
    for step in (build, everything):
        monkeypatch.setattr(step, "headers", lambda: elsewhere)
    everything.main()
    assert capsys.readouterr().out == "".join(
        f"Not compiled: {part}, because there is no C compiler (Debian, Ubuntu: apt-get install gcc); "
        "it runs in Python, correctly and more slowly.\n"
        for part in ("the reading of traces", "the main line of intake")
    )


def test_without_headers_it_says_where_it_looked(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(elsewhere))
    everything.main()
    assert f"Python's headers are not in {elsewhere} (Debian, Ubuntu: apt-get install python3-dev)" in (
        capsys.readouterr().out
    )


def test_what_the_compiler_says_is_passed_on(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "wire.pxi").write_text("cdef nonsense\n")
    for step in (build, everything):
        monkeypatch.setattr(step, "compiler", lambda: ["cc"])
        monkeypatch.setattr(step, "headers", lambda: elsewhere)
    monkeypatch.setattr(modules, "NAMES", ("monitoring.nonsense",))
    monkeypatch.setattr(modules, "digest", lambda: "0")
    everything.main()
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Not compiled: the reading of traces, because ")
    assert said[1].startswith("Not compiled: the main line of intake, because ")
    assert not build.target().exists()
    assert not modules.BUILT.exists()


@compiled
def test_what_was_compiled_from_other_sources_is_not_used(tmp_path: Path) -> None:
    shutil.copytree(
        build.HERE.parents[1], tmp_path / "monitoring", ignore=lambda _, names: [n for n in names if n == "__pycache__"]
    )
    asked = "import monitoring; from monitoring.decode import native; print(native.ABSENT, monitoring.INTERPRETED)"
    assert printed(asked, tmp_path) == " \n"
    for changed in ("decode/native/wire.pxi", "facts.py"):
        with (tmp_path / "monitoring" / changed).open("a") as source:
            source.write("# changed\n")
    assert printed(asked, tmp_path) == (
        "it was compiled from other sources; make install compiles it again "
        "nothing is compiled from these sources; make install does it, or says why not\n"
    )
    assert native.ABSENT == INTERPRETED == ""


@compiled
def test_the_main_line_says_the_same_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    project = modules.PROJECT
    compiled_says = printed(_FACTS, project)
    monkeypatch.setenv("ANDON_COMPILED", "0")
    in_python = printed(_FACTS, project)
    assert compiled_says.splitlines()[0] == ""
    assert in_python.splitlines()[0] == "ANDON_COMPILED=0 says so"
    assert compiled_says.splitlines()[1:] == in_python.splitlines()[1:]
    assert len(in_python.splitlines()) > 100


#: What the benchmark's requests mean, and the rows that are made of it, a line each.
_FACTS = """
import gzip, os, django, monitoring
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()
from datetime import UTC, datetime
from bench.mapping import catalogue
from bench.payloads import Source
from monitoring.decode import decode
from monitoring.mapping import VerdictCache, map_decoded
from monitoring.project.runs_merged import fresh_row, merged_row
from monitoring.records import Encoding, Payload, Signal
print(monitoring.INTERPRETED)
now = datetime(2026, 11, 21, tzinfo=UTC)
for body in Source(7).batch(lambda: 1_795_250_000_000_000_000).bodies:
    decoded = decode(Payload(Signal.TRACES, Encoding.PROTOBUF, gzip.decompress(body), {}, now))
    for run in map_decoded(decoded, catalogue(12), now, VerdictCache()).runs:
        row = fresh_row(run, 1, (1,))
        print(run, row, merged_row(row, row))
"""


def printed(program: str, directory: Path) -> str:
    """What a Python program prints that is run from a directory."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True).stdout
