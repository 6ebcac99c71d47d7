"""Files of the plant in ANDON_HOME: JSON that its owner alone can read, replaced in one step."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from console.embedded.home import hand_over


def read_json(file: Path) -> Any:
    """What the file holds, None where there is none or where it can't be read as JSON."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def write_json(file: Path, content: Any) -> None:
    """Writes the file with mode 0600; a reader sees the old content or the new one."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        json.dump(content, handle)
    hand_over(Path(name))
    Path(name).replace(file)
