"""Chromium for the browser tests: finds it, and as a program installs it where that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_REMEDY = (
    "The browser tests need Chromium and found none. Install it (Debian, Ubuntu: `apt-get install chromium`; "
    "Fedora: `dnf install chromium`), or name an executable in CHROMIUM."
)


def chromium() -> str:
    """The path of a Chromium that can run; raises LookupError that says what to install."""
    named = os.environ.get("CHROMIUM", "").strip()
    if named:
        if found := shutil.which(named):
            return found
        raise LookupError(f"CHROMIUM names {named}, which is no executable.")
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    raise LookupError(_REMEDY)


def main() -> int:
    """Makes sure that there is a Chromium: root on Debian gets it installed, everyone else is told the package."""
    try:
        chromium()
    except LookupError as missing:
        apt = shutil.which("apt-get")
        if os.environ.get("CHROMIUM", "").strip() or os.geteuid() != 0 or apt is None:
            print(missing, file=sys.stderr)  # noqa: T201
            return 1
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for step in (("update",), ("install", "-y", "--no-install-recommends", "chromium")):
            if subprocess.run([apt, "-q", *step], env=environment, check=False).returncode != 0:
                print(missing, file=sys.stderr)  # noqa: T201
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
