"""Writes the C sources of the main line's modules: a script of its own, for the translator ends the process it is in.

`python -m monitoring.native.translate FOLDER MODULE...` prints, as JSON, which C sources make up which module, and the
compiler's options for them.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

from mypyc.build import mypycify

from monitoring.native.modules import LIBRARY, PROJECT, source_of

#: Types are checked by `make check`, with all that is installed. Here what lies outside is left alone: it is many times
#: as much, and its types would change nothing.
_OPTIONS = """
[mypy]
follow_imports = skip
ignore_missing_imports = True
disable_error_code = import-untyped, misc, no-any-return, attr-defined, valid-type
"""
#: Little is gained by more, and that takes up to twice as long.
_LEVEL = "1"


def main() -> None:
    """Translate, and say what there is to compile."""
    made = Path(sys.argv[1])
    options = made / "options.ini"
    options.write_text(_OPTIONS)
    paths = [str(source_of(name).relative_to(PROJECT)) for name in sys.argv[2:]]
    settings = ["--config-file", str(options), "--cache-dir", str(made / "cache")]
    with contextlib.redirect_stdout(sys.stderr):
        parts = mypycify(
            [*settings, *paths],
            opt_level=_LEVEL,
            debug_level="0",
            multi_file=True,
            target_dir=str(made),
            group_name=LIBRARY.removesuffix("__mypyc"),
        )
    flags = {flag for part in parts for flag in part.extra_compile_args if not flag.startswith("-W")}
    include = {f"-I{directory}" for part in parts for directory in part.include_dirs}
    sources = {part.name: part.sources for part in parts}
    sys.stdout.write(json.dumps({"sources": sources, "flags": sorted(flags | include)}))


if __name__ == "__main__":
    main()
