"""Makes .venv and installs what the lock names: `python -m install.environment [python]`, which `make install` runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from install.interpreters import Choice, chosen, has_compiler, installed, probed

ENVIRONMENT = Path(".venv")
LOCK = Path("requirements.lock")
_INSTALL = ("install", "--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes", "-r")


def choice_of(named: str) -> Choice:
    """Return the Python that is named, else the best that is found; exits, saying what to do, where there is none."""
    everything = installed(os.environ.get("PATH", ""))
    found = everything
    if named:
        wanted = probed(named)
        if wanted is None:
            raise SystemExit(f"{named} is no Python 3.11 or newer. Name another one, or leave PYTHON out.")
        found = [wanted]
    choice = chosen(found, pips=everything, can_compile=has_compiler())
    if choice is None:
        asked = named or (str(found[0]) if found else "python3")
        raise SystemExit(
            f"{asked} comes without the venv module. Install it (Debian, Ubuntu: apt-get install python3-venv), "
            "then run make again."
        )
    return choice


def made(choice: Choice, environment: Path = ENVIRONMENT) -> Path:
    """Make the environment anew, empty but for pip where it has one; returns its Python."""
    without = ["--without-pip"] if choice.helper else []
    _run([choice.interpreter.executable, "-m", "venv", "--clear", *without, str(environment)])
    return environment / "bin" / "python"


def filled(python: Path, choice: Choice, lock: Path = LOCK) -> None:
    """Install what the lock names, by its own pip or another Python's."""
    pip = (
        [choice.helper.executable, "-m", "pip", "--python", str(python)]
        if choice.helper
        else [str(python), "-m", "pip"]
    )
    _run([*pip, *_INSTALL, str(lock)])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False)  # noqa: S603 - Python and its pip
    if done.returncode:
        raise SystemExit(done.returncode)


def main() -> None:
    """Choose, say so, and install."""
    choice = choice_of(sys.argv[1] if len(sys.argv) > 1 else "")
    why = f": {choice.reason}" if choice.reason else ""
    sys.stdout.write(f"Installing into .venv with {choice.interpreter} (once; a minute or two){why}\n")
    sys.stdout.flush()
    filled(made(choice), choice)


if __name__ == "__main__":
    main()
