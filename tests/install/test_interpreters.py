"""Which Python `make install` takes, and why; and that one without ensurepip serves as well, by another's pip."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from install import environment
from install.interpreters import Choice, Interpreter, chosen, installed, probed

PLAIN = Interpreter(
    executable="/opt/first/python3",
    version=(3, 12, 1),
    is_cpython=True,
    is_plain=True,
    is_optimised=False,
    has_headers=True,
    has_venv=True,
    has_ensurepip=True,
    pip=(24, 0),
)
OPTIMISED = replace(PLAIN, executable="/usr/bin/python3", version=(3, 11, 2), is_optimised=True)
BARE = replace(OPTIMISED, has_headers=False, has_ensurepip=False, pip=())


def best(*found: Interpreter, can_compile: bool = True) -> Choice:
    choice = chosen(found, pips=found, can_compile=can_compile)
    assert choice is not None
    return choice


def test_it_takes_the_first_of_equals() -> None:
    assert best(PLAIN, replace(PLAIN, executable="/opt/second/python3")) == Choice(PLAIN, "", None)


def test_it_takes_one_built_with_optimisation_and_says_so() -> None:
    choice = best(PLAIN, OPTIMISED)
    assert choice.interpreter is OPTIMISED
    assert choice.reason == "unlike Python 3.12.1 (/opt/first/python3), it was built with optimisation"


def test_it_rather_takes_headers_than_optimisation_where_something_can_be_compiled() -> None:
    assert best(PLAIN, BARE).interpreter is PLAIN
    assert (
        best(BARE, PLAIN).reason == "unlike Python 3.11.2 (/usr/bin/python3), it has the headers that compiling takes"
    )
    assert best(PLAIN, BARE, can_compile=False).interpreter is BARE


def test_it_takes_no_debug_build_and_no_other_implementation_where_it_need_not() -> None:
    for odd in (replace(OPTIMISED, is_plain=False), replace(OPTIMISED, is_cpython=False)):
        assert best(odd, PLAIN).interpreter is PLAIN
        assert best(odd).interpreter is odd


def test_another_python_lends_its_pip() -> None:
    assert best(BARE, replace(PLAIN, has_headers=False)).helper == replace(PLAIN, has_headers=False)


@pytest.mark.parametrize("pip", [(), (22, 2)])
def test_without_ensurepip_and_a_pip_for_others_it_takes_another(pip: tuple[int, ...]) -> None:
    assert best(BARE, replace(PLAIN, pip=pip)).interpreter.executable == PLAIN.executable
    assert chosen([BARE, replace(BARE, pip=pip)], pips=[BARE], can_compile=True) is None
    assert chosen([replace(PLAIN, has_venv=False)], pips=[PLAIN], can_compile=True) is None


def test_it_finds_the_python_that_runs_this() -> None:
    found = installed(str(Path(sys.executable).parent))
    assert Path(sys.executable).resolve() in [Path(one.executable).resolve() for one in found]
    assert len(found) == len({Path(one.executable).resolve() for one in found})


def test_what_is_no_python_or_too_old_is_passed_over(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\necho 'no such option' >&2; exit 2\n")
    old.chmod(0o755)
    assert probed(str(old)) is None
    assert probed(str(tmp_path / "absent")) is None
    assert str(old) not in [one.executable for one in installed(str(tmp_path))]


def test_a_named_python_is_taken_whatever_is_better() -> None:
    assert environment.choice_of(sys.executable).interpreter.executable == sys.executable


def test_it_says_what_to_do_where_none_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"/bin/false is no Python 3\.11 or newer"):
        environment.choice_of("/bin/false")
    monkeypatch.setattr(environment, "installed", lambda _: [BARE])
    with pytest.raises(SystemExit, match=r"without the venv module.*apt-get install python3-venv"):
        environment.choice_of("")


def test_it_fills_an_environment_that_has_no_pip_of_its_own(tmp_path: Path) -> None:
    this = probed(sys.executable)
    assert this is not None
    lender = next(one for one in installed(os.environ["PATH"]) if one.pip >= (22, 3))
    choice = Choice(replace(this, has_ensurepip=False), "", lender)
    python = environment.made(choice, tmp_path / "venv")
    (tmp_path / "requirements.lock").write_text("")
    environment.filled(python, choice, tmp_path / "requirements.lock")
    assert subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode
