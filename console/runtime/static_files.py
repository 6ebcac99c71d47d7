"""The collected static files: made again only when a source has changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command


def collect(root: Path) -> bool:
    """Collects, hashes and compresses the static files into `root`; False where nothing had changed since."""
    mark = root / ".collected"
    wanted = _fingerprint()
    if mark.is_file() and mark.read_text(encoding="ascii") == wanted:
        return False
    root.mkdir(parents=True, exist_ok=True)
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    mark.write_text(wanted, encoding="ascii")
    return True


def _fingerprint() -> str:
    """Name, size and time of every source: cheaper than reading them, and a change of any shows."""
    seen = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            seen.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return seen.hexdigest()
