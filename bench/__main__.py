"""`make bench`: every benchmark, as a table and as bench/results.json. Names as arguments choose some of them."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bench import decode, hostile, intake, mapping
from bench.table import Figure, keep, show

BENCHES: dict[str, Callable[[], list[Figure]]] = {
    "decode": decode.main,
    "mapping": mapping.main,
    "intake": intake.main,
    "hostile": hostile.main,
}


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    unknown = set(names) - BENCHES.keys()
    if unknown:
        raise SystemExit(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    figures: list[Figure] = []
    for name, bench in BENCHES.items():
        if not names or name in names:
            found = bench()
            show(found)
            figures += found
    keep(figures)


if __name__ == "__main__":
    main(sys.argv[1:])
